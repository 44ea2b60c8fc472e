//! One repository at all the places that may serve it.
//!
//! Runs in the shell command's process, in the registry thread.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Duration;

use reqwest::Response;
use reqwest::header::CONTENT_TYPE;
use rustls::RootCertStore;

use super::access::Access;
use super::auth::{Identity, Source};
use super::config::RegistryConfig;
use super::credentials::Server;
use super::endpoint::{Endpoint, Role};
use super::failure::{Attempt, Failure, Missing, RegistryError};
use super::http::{Connection, bounded};
use super::notice::{Notice, Notices};
use super::request::Request;
use super::retry::Tries;
use super::{tags, tls};
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
}

/// What a conversation is about.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    /// The repository; tag and digest say what is meant when nothing else does.
    pub(crate) reference: Reference,
    /// What is to be done there.
    pub(crate) purpose: Purpose,
}

/// What is to be done with a repository.
#[derive(Debug, Clone)]
pub(crate) enum Purpose {
    /// Read, from mirrors too.
    Read,
    /// Write, taking what these repositories of the same registry have.
    Write {
        /// Their paths.
        sources: Vec<String>,
    },
}

impl Subject {
    /// Lists what tokens are to allow (Distribution project, "Token Scope Documentation").
    fn scopes(&self) -> Vec<String> {
        let path = self.reference.path();
        match &self.purpose {
            Purpose::Read => vec![format!("repository:{path}:pull")],
            Purpose::Write { sources } => {
                let sources = sources.iter().map(|source| format!("repository:{source}:pull"));
                std::iter::once(format!("repository:{path}:pull,push")).chain(sources).collect()
            }
        }
    }

    fn endpoints(&self, config: &RegistryConfig) -> Vec<Endpoint> {
        match self.purpose {
            Purpose::Read => Endpoint::all(&self.reference, config),
            Purpose::Write { .. } => Endpoint::registry(self.reference.domain(), config),
        }
    }
}

/// Where a blob came from.
#[derive(Default)]
struct Sources {
    /// The place that served it last.
    last: Option<usize>,
    /// The places that served something else as it.
    distrusted: Vec<usize>,
}

/// A repository and its places.
pub(super) struct Remote {
    reference: Reference,
    connections: Vec<Connection>,
    /// The place that served last; it is asked first.
    preferred: Cell<usize>,
    /// Which place served a blob, and which ones did so wrongly.
    sources: RefCell<HashMap<Digest, Sources>>,
    pub(super) notices: Notices,
}

impl Remote {
    /// Prepares the places for a subject; nothing is sent yet.
    pub(super) fn new(subject: &Subject, access: &Access, notices: Notices) -> Result<Remote, RegistryError> {
        let roots = tls::host_roots();
        let connect = |endpoint: Endpoint| {
            let store = access.credentials.clone();
            let repository = (endpoint.role == Role::Registry).then(|| subject.reference.path());
            let server = Server::new(&endpoint.domain, repository);
            let token_servers = access.config.of(&endpoint.domain).token_servers;
            let identity =
                Identity::new(Source::Kept { store, server }, subject.scopes(), token_servers, notices.clone());
            connect(endpoint, access, roots.clone(), identity)
        };
        let connections: Result<_, _> = subject.endpoints(&access.config).into_iter().map(connect).collect();
        let (reference, connections) = (subject.reference.clone(), connections?);
        Ok(Remote { reference, connections, preferred: Cell::new(0), sources: RefCell::default(), notices })
    }

    /// Returns the repository's path.
    pub(super) fn repository(&self) -> &str {
        self.reference.path()
    }

    /// Returns the places, the one that served last first.
    pub(super) fn order(&self) -> Vec<(usize, &Connection)> {
        let preferred = self.preferred.get();
        let mut order: Vec<_> = self.connections.iter().enumerate().collect();
        order.sort_by_key(|(index, _)| *index != preferred);
        order
    }

    /// Returns the places that have not served this blob wrongly, the one that served last first.
    pub(super) fn order_for(&self, blob: &Digest) -> Vec<(usize, &Connection)> {
        let sources = self.sources.borrow();
        let is_trusted = |index: usize| !sources.get(blob).is_some_and(|sources| sources.distrusted.contains(&index));
        self.order().into_iter().filter(|(index, _)| is_trusted(*index)).collect()
    }

    /// Remembers the place that served.
    pub(super) fn prefer(&self, index: usize) {
        self.preferred.set(index);
    }

    /// Remembers the place that served a blob.
    pub(super) fn served(&self, blob: &Digest, index: usize) {
        self.prefer(index);
        self.sources.borrow_mut().entry(blob.clone()).or_default().last = Some(index);
    }

    /// Notes that what was served for a blob is not that blob; tells whether another host is left to ask for it.
    pub(super) fn distrust(&self, blob: &Digest) -> bool {
        let last = {
            let mut sources = self.sources.borrow_mut();
            let sources = sources.entry(blob.clone()).or_default();
            let Some(last) = sources.last.take() else { return false };
            sources.distrusted.push(last);
            last
        };
        let endpoint = &self.connections[last].endpoint;
        let failure = Failure::Protocol(format!("serves something else as blob `{blob}`"));
        let is_elsewhere = |connection: &Connection| connection.endpoint.authority() != endpoint.authority();
        let is_left = self.order_for(blob).into_iter().any(|(_, connection)| is_elsewhere(connection));
        if is_left {
            self.tell(&self.connections[last], &failure, None);
        }
        is_left
    }

    /// Tells that a place did not serve, and what comes next.
    pub(super) fn tell(&self, connection: &Connection, failure: &Failure, pause: Option<Duration>) {
        self.notices.tell(Notice::Retry(attempt(&connection.endpoint, failure), pause));
    }

    /// Asks one place, again as long as that makes sense.
    pub(super) async fn persist<T>(
        &self,
        connection: &Connection,
        ask: impl AsyncFn(&Connection) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut tries = Tries::default();
        loop {
            let failure = match ask(connection).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let Some(pause) = tries.pause_after(&failure) else { return Err(failure) };
            self.tell(connection, &failure, Some(pause));
            sleep(pause).await;
        }
    }

    /// Asks one place after the other until one answers.
    async fn by_any<T>(&self, ask: impl AsyncFn(&Connection) -> Result<T, Failure>) -> Result<T, Failures> {
        let mut failures = Failures::default();
        for (index, connection) in self.order() {
            if failures.is_hopeless(&connection.endpoint) {
                continue;
            }
            match self.persist(connection, &ask).await {
                Ok(answer) => {
                    self.prefer(index);
                    failures.list.iter().for_each(|(endpoint, failure)| {
                        self.notices.tell(Notice::Retry(attempt(endpoint, failure), None));
                    });
                    return Ok(answer);
                }
                Err(failure) => failures.push(&connection.endpoint, failure),
            }
        }
        Err(failures)
    }

    /// Fetches a manifest or index: by `digest`, or as the reference says.
    pub(super) async fn manifest(&self, digest: Option<&Digest>) -> Result<Served, RegistryError> {
        let digest = digest.or(self.reference.digest());
        let name = digest.map(Digest::as_str).or(self.reference.tag()).unwrap_or_default();
        let ask = async |connection: &Connection| self.manifest_once(connection, name, digest).await;
        self.by_any(ask).await.map_err(|failures| failures.conclude(&self.reference, digest))
    }

    async fn manifest_once(
        &self,
        connection: &Connection,
        name: &str,
        digest: Option<&Digest>,
    ) -> Result<Served, Failure> {
        let request = Request::get(self.path(&format!("manifests/{name}"))).accepting(&Media::ACCEPTED);
        let response = connection.exchange(&request).await?;
        let media_type = header(&response, CONTENT_TYPE.as_str()).map(str::to_owned);
        let announced = announced(&response);
        let bytes = bounded(response, LARGEST_MANIFEST).await?;
        let actual = Digest::of(&bytes);
        let expected = digest.or(announced.as_ref()).unwrap_or(&actual);
        match actual == *expected {
            true => Ok(Served { bytes, digest: actual, media_type }),
            false => Err(Failure::Corrupt { expected: expected.clone(), actual }),
        }
    }

    /// Asks what the reference's tag points at, without fetching it; `None` if the registry does not say.
    pub(super) async fn digest(&self) -> Result<Option<Digest>, RegistryError> {
        let path = self.path(&format!("manifests/{}", self.reference.tag().unwrap_or_default()));
        let request = Request::head(path).accepting(&Media::ACCEPTED);
        let ask = async |connection: &Connection| match connection.exchange(&request).await {
            Ok(answer) => Ok(announced(&answer)),
            // It knows no HEAD; then there is nothing to save.
            Err(Failure::Status { status: 405 | 501, .. }) => Ok(None),
            Err(failure) => Err(failure),
        };
        self.by_any(ask).await.map_err(|failures| failures.conclude(&self.reference, None))
    }

    /// Lists the repository's tags, as the registry sorts them.
    pub(super) async fn tags(&self) -> Result<Vec<String>, RegistryError> {
        let ask = async |connection: &Connection| match tags::list(connection, self.path("tags/list")).await {
            // There is no list without a repository.
            Err(Failure::NotFound(_)) => Err(Failure::NotFound(Missing::Repository)),
            result => result,
        };
        self.by_any(ask).await.map_err(|failures| failures.conclude(&self.reference, None))
    }

    /// Finds the place to write to, and has it know us: from here on, [`Remote::order`] has it first.
    pub(super) async fn settle(&self) -> Result<(), RegistryError> {
        let ask = async |connection: &Connection| connection.exchange(&Request::get(String::new())).await.map(drop);
        let unserved = |failures: Failures| RegistryError::Unserved {
            wanted: self.reference.familiar_name(),
            attempts: failures.attempts(),
        };
        self.by_any(ask).await.map_err(unserved)
    }

    /// Returns the path of something in the repository.
    pub(super) fn path(&self, object: &str) -> String {
        format!("{}/{object}", self.repository())
    }
}

/// Prepares the way to one place.
pub(super) fn connect(
    endpoint: Endpoint,
    access: &Access,
    roots: RootCertStore,
    identity: Identity,
) -> Result<Connection, RegistryError> {
    let tls = tls::client_config(&endpoint.domain, &access.config, roots);
    let tls = tls.map_err(|error| RegistryError::Setup(error.to_string()))?;
    // Its message may repeat a proxy's URL, in which a password may stand.
    Connection::new(endpoint, tls, access, identity)
        .map_err(|error| RegistryError::Setup(error.without_url().to_string()))
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).and_then(|value| value.to_str().ok())
}

/// Reads the digest that a registry announces. One of another algorithm cannot be compared; the reference's own digest is
/// checked in any case.
fn announced(response: &Response) -> Option<Digest> {
    header(response, DIGEST_HEADER)?.parse().ok()
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

    /// Tells whether asking a place is pointless, because the same host has failed over the other scheme: one that
    /// answered is not asked again with less protection, and one that cannot be connected to without TLS cannot be with
    /// it, unless TLS was the reason.
    pub(super) fn is_hopeless(&self, endpoint: &Endpoint) -> bool {
        let is_same = |other: &Endpoint| other.role == endpoint.role && other.authority() == endpoint.authority();
        self.list.iter().filter(|(other, _)| is_same(other)).any(|(other, failure)| match other.is_tls() {
            true => !matches!(failure, Failure::Unreachable(_) | Failure::Broken(_)),
            false => !matches!(failure, Failure::Status { status: 400, .. } | Failure::Broken(_)),
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
            Some(Failure::Corrupt { expected, actual }) => {
                RegistryError::Corrupt { expected: expected.clone(), actual: actual.clone() }
            }
            _ => RegistryError::Unserved { wanted: reference.familiar(), attempts: self.attempts() },
        }
    }
}

/// Puts a failure beside the place it happened at.
pub(super) fn attempt(endpoint: &Endpoint, failure: &Failure) -> Attempt {
    let (host, place) = (endpoint.authority().to_owned(), endpoint.to_string());
    Attempt { host, place, cause: failure.to_string() }
}
