//! One repository at all the places that may serve it.
//!
//! Runs in the shell command's process, in the registry thread.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;

use super::config::RegistryConfig;
use super::endpoint::{Endpoint, Role};
use super::failure::{Attempt, Failure, Missing, RegistryError};
use super::http::{Connection, Request, bounded};
use super::retry::Tries;
use super::tls;
use crate::digest::Digest;
use crate::manifest::{LARGEST_MANIFEST, Media};
use crate::reference::Reference;

/// Header with the digest of what is served (OCI distribution-spec, "Pulling manifests").
const DIGEST_HEADER: &str = "docker-content-digest";

/// A document as it was served, its digest checked.
#[derive(Debug, Clone)]
pub(crate) struct Served {
    /// The bytes.
    pub(crate) bytes: Vec<u8>,
    /// Their digest.
    pub(crate) digest: Digest,
    /// The media type it was served with.
    pub(crate) media_type: Option<String>,
    /// Places that were asked before and did not serve it.
    pub(crate) attempts: Vec<Attempt>,
}

/// A repository and its places.
pub(super) struct Remote {
    reference: Reference,
    connections: Vec<Connection>,
    /// The place that served last; it is asked first.
    preferred: AtomicUsize,
}

impl Remote {
    /// Prepares the places for `reference`; nothing is sent yet.
    pub(super) fn new(reference: &Reference, config: &RegistryConfig) -> Result<Remote, RegistryError> {
        let tls = tls::client_config().map_err(|error| RegistryError::Setup(error.to_string()))?;
        let connect = |endpoint| Connection::new(endpoint, tls.clone());
        let connections: Result<Vec<_>, _> = Endpoint::all(reference, config).into_iter().map(connect).collect();
        let connections = connections.map_err(|error| RegistryError::Setup(error.to_string()))?;
        Ok(Remote { reference: reference.clone(), connections, preferred: AtomicUsize::new(0) })
    }

    /// Returns the repository's path.
    pub(super) fn repository(&self) -> &str {
        self.reference.path()
    }

    /// Returns the places, the one that served last first.
    pub(super) fn order(&self) -> Vec<(usize, &Connection)> {
        let preferred = self.preferred.load(Ordering::Relaxed);
        let mut order: Vec<_> = self.connections.iter().enumerate().collect();
        order.sort_by_key(|(index, _)| *index != preferred);
        order
    }

    /// Remembers the place that served.
    pub(super) fn prefer(&self, index: usize) {
        self.preferred.store(index, Ordering::Relaxed);
    }

    /// Fetches a manifest or index: by `digest`, or as the reference says.
    pub(super) async fn manifest(&self, digest: Option<&Digest>) -> Result<Served, RegistryError> {
        let digest = digest.or(self.reference.digest());
        let name = digest.map(Digest::as_str).or(self.reference.tag()).unwrap_or_default();
        let mut failures = Failures::default();
        for (index, connection) in self.order() {
            if failures.is_hopeless(&connection.endpoint) {
                continue;
            }
            match self.manifest_at(connection, name, digest).await {
                Ok(Ok(served)) => {
                    self.prefer(index);
                    return Ok(Served { attempts: failures.attempts(), ..served });
                }
                Ok(Err(corrupt)) if connection.endpoint.role == Role::Registry => return Err(corrupt),
                Ok(Err(corrupt)) => failures.push(&connection.endpoint, Failure::Protocol(corrupt.to_string())),
                Err(failure) => failures.push(&connection.endpoint, failure),
            }
        }
        Err(failures.conclude(&self.reference, digest))
    }

    /// Asks one place, again as long as that makes sense. The inner error is a document that is not what it claims.
    async fn manifest_at(
        &self,
        connection: &Connection,
        name: &str,
        digest: Option<&Digest>,
    ) -> Result<Result<Served, RegistryError>, Failure> {
        let mut tries = Tries::default();
        loop {
            match self.manifest_once(connection, name).await {
                Ok((served, announced)) => {
                    let expected = digest.or(announced.as_ref()).unwrap_or(&served.digest).clone();
                    let actual = served.digest.clone();
                    let is_right = actual == expected;
                    return Ok(if is_right { Ok(served) } else { Err(RegistryError::Corrupt { expected, actual }) });
                }
                Err(failure) => match tries.pause_after(&failure) {
                    Some(pause) => sleep(pause).await,
                    None => return Err(failure),
                },
            }
        }
    }

    async fn manifest_once(&self, connection: &Connection, name: &str) -> Result<(Served, Option<Digest>), Failure> {
        let object = format!("manifests/{name}");
        let accept = &Media::ACCEPTED;
        let response =
            connection.get(Request { repository: self.repository(), object: &object, accept, offset: 0 }).await?;
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let media_type = header(CONTENT_TYPE.as_str()).map(str::to_owned);
        // One of another algorithm cannot be compared; the reference's own digest is checked in any case.
        let announced = header(DIGEST_HEADER).and_then(|text| text.parse().ok());
        let bytes = bounded(response, LARGEST_MANIFEST).await?;
        let digest = Digest::of(&bytes);
        Ok((Served { bytes, digest, media_type, attempts: Vec::new() }, announced))
    }
}

/// Waits; the only thing in this crate that waits for a time, as registries ask for it.
pub(super) async fn sleep(pause: Duration) {
    tokio::time::sleep(pause).await;
}

/// What the places answered, in order.
#[derive(Default)]
pub(super) struct Failures {
    list: Vec<(Endpoint, Failure)>,
}

impl Failures {
    pub(super) fn push(&mut self, endpoint: &Endpoint, failure: Failure) {
        self.list.push((endpoint.clone(), failure));
    }

    /// A host that cannot be connected to over one scheme cannot be over the other either, unless TLS was the reason.
    pub(super) fn is_hopeless(&self, endpoint: &Endpoint) -> bool {
        let is_same = |other: &Endpoint| other.role == endpoint.role && other.authority() == endpoint.authority();
        self.list.iter().any(|(other, failure)| {
            is_same(other)
                && !other.is_tls()
                && !matches!(failure, Failure::Status { status: 400, .. } | Failure::Broken(_))
        })
    }

    pub(super) fn attempts(&self) -> Vec<Attempt> {
        self.attempts_where(|_| true)
    }

    fn attempts_where(&self, is_wanted: impl Fn(&Failure) -> bool) -> Vec<Attempt> {
        let wanted = self.list.iter().filter(|(_, failure)| is_wanted(failure));
        wanted.map(|(endpoint, failure)| attempt(endpoint, failure)).collect()
    }

    /// Says in one error why a manifest cannot be had: the registry's own word counts, mirrors' only in brackets.
    fn conclude(self, reference: &Reference, digest: Option<&Digest>) -> RegistryError {
        let repository = reference.familiar_name();
        let own =
            self.list.iter().rev().find(|(endpoint, _)| endpoint.role == Role::Registry).map(|(_, failure)| failure);
        let others = || self.attempts_where(|failure| !matches!(failure, Failure::NotFound(_)));
        match own {
            Some(Failure::NotFound(Missing::Repository)) => {
                RegistryError::NoSuchRepository { repository, attempts: others() }
            }
            Some(Failure::NotFound(Missing::Content)) => match (digest, reference.tag()) {
                (None, Some(tag)) => RegistryError::NoSuchTag { tag: tag.to_owned(), repository, attempts: others() },
                (Some(digest), _) => {
                    RegistryError::NoSuchManifest { digest: digest.clone(), repository, attempts: others() }
                }
                (None, None) => RegistryError::NoSuchRepository { repository, attempts: others() },
            },
            Some(Failure::Denied(_)) => RegistryError::Denied { repository, attempts: self.attempts() },
            _ => RegistryError::Unserved { wanted: reference.familiar(), attempts: self.attempts() },
        }
    }
}

/// Puts a failure beside the place it happened at.
pub(super) fn attempt(endpoint: &Endpoint, failure: &Failure) -> Attempt {
    let (host, place) = (endpoint.authority().to_owned(), endpoint.to_string());
    Attempt { host, place, cause: failure.to_string() }
}
