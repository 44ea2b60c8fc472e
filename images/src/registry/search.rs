//! Searching a registry for repositories: docker's search API of version 1, which Docker Hub and a few others have.
//!
//! Runs in the shell command's process, in its only thread.

use reqwest::{Method, Url};
use serde::Deserialize;
use tokio::runtime::Builder;

use super::access::Access;
use super::auth::{Identity, Source};
use super::credentials::Server;
use super::endpoint::Endpoint;
use super::failure::{Failure, RegistryError};
use super::http::{Connection, bounded};
use super::notice::Notices;
use super::remote::{Failures, connect, sleep};
use super::request::{Request, Target};
use super::retry::Tries;
use super::tls;

/// Who answers for `docker.io`.
const DOCKER_HUB: &str = "https://index.docker.io";

/// Largest answer read, in bytes.
const LARGEST: u64 = 4 << 20;

/// A repository that was found.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// What it is, in its owner's words, if there are any.
    #[serde(default)]
    pub description: Option<String>,
    /// How many people like it.
    #[serde(default, rename = "star_count")]
    pub stars: u64,
    /// Docker Hub's own.
    #[serde(default, rename = "is_official")]
    pub is_official: bool,
    /// Built by Docker Hub.
    #[serde(default, rename = "is_automated")]
    pub is_automated: bool,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    results: Vec<Found>,
}

/// Asks the registry `domain` for at most `limit` repositories that have to do with `term`. Blocks.
///
/// # Errors
/// [`RegistryError::Unserved`] if it has no search, or cannot be reached.
pub fn search(domain: &str, term: &str, limit: u32, access: &Access) -> Result<Vec<Found>, RegistryError> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| RegistryError::Setup(error.to_string()))?;
    runtime.block_on(ask(domain, (term, limit), access))
}

async fn ask(domain: &str, what: (&str, u32), access: &Access) -> Result<Vec<Found>, RegistryError> {
    let (sender, _told) = std::sync::mpsc::channel();
    let mut failures = Failures::default();
    for endpoint in Endpoint::registry(domain, &access.config) {
        if failures.is_hopeless(&endpoint) {
            continue;
        }
        let base = if domain == "docker.io" { DOCKER_HUB.to_owned() } else { endpoint.base.clone() };
        let source = Source::Kept { store: access.credentials.clone(), server: Server::new(domain, None) };
        let token_servers = access.config.of(domain).token_servers;
        let identity = Identity::new(source, Vec::new(), token_servers, Notices(sender.clone()));
        let connection = connect(endpoint, access, tls::host_roots(), identity)?;
        match persistently(&connection, &base, what).await {
            Ok(found) => return Ok(found),
            Err(failure) => failures.push(&connection.endpoint, failure),
        }
    }
    Err(RegistryError::Unserved { wanted: format!("search for {}", what.0), attempts: failures.attempts() })
}

async fn persistently(connection: &Connection, base: &str, what: (&str, u32)) -> Result<Vec<Found>, Failure> {
    let mut tries = Tries::default();
    loop {
        match once(connection, base, what).await {
            Ok(found) => return Ok(found),
            Err(failure) => match tries.pause_after(&failure) {
                Some(pause) => sleep(pause).await,
                None => return Err(failure),
            },
        }
    }
}

async fn once(connection: &Connection, base: &str, (term, limit): (&str, u32)) -> Result<Vec<Found>, Failure> {
    let malformed = |error: &dyn std::fmt::Display| Failure::Protocol(format!("search: {error}"));
    let mut url = Url::parse(&format!("{base}/v1/search")).map_err(|error| malformed(&error))?;
    url.query_pairs_mut().append_pair("q", term).append_pair("n", &limit.to_string());
    let response = connection.exchange(&Request::new(Method::GET, Target::Url(url))).await?;
    let body = bounded(response, LARGEST).await?;
    let answer: Answer = serde_json::from_slice(&body).map_err(|error| malformed(&error))?;
    Ok(answer.results)
}
