//! Logging in: a name and a password are tried out at the registry before they are kept.
//!
//! Runs in the shell command's process, in its only thread.

use std::sync::mpsc::channel;

use tokio::runtime::Builder;

use super::access::Access;
use super::auth::{Identity, Source};
use super::credentials::{Credential, Place, Server};
use super::endpoint::Endpoint;
use super::failure::RegistryError;
use super::notice::{Notice, Notices};
use super::remote::{Failures, connect, sleep};
use super::request::Request;
use super::retry::Tries;
use super::tls;

/// What came of a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedIn {
    /// Where the secret is kept.
    pub place: Place,
    /// What the user should know besides, a line each.
    pub warnings: Vec<String>,
}

/// Tries `credential` out at the registry `domain` (`docker.io`, `ghcr.io`, `127.0.0.1:5000`) and keeps it; if the
/// registry gives an identity token for the password, that is kept instead. Blocks.
///
/// # Errors
/// [`RegistryError::Login`] if the registry does not take it or cannot be reached; then nothing is kept.
pub fn login(domain: &str, credential: &Credential, access: &Access) -> Result<LoggedIn, RegistryError> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| RegistryError::Setup(error.to_string()))?;
    let (sender, told) = channel();
    let identity_token = runtime.block_on(prove(domain, credential, access, Notices(sender)))?;
    let kept = identity_token.map_or_else(|| credential.clone(), Credential::IdentityToken);
    let place = access.credentials.keep(&Server::new(domain, None), &kept)?;
    let warning = |notice| match notice {
        Notice::Warning(text) => Some(text),
        _ => None,
    };
    Ok(LoggedIn { place, warnings: told.try_iter().filter_map(warning).collect() })
}

/// Forgets the login at the registry `domain`, and says where it was kept; `None` if nowhere.
///
/// # Errors
/// [`RegistryError::Credentials`].
pub fn logout(domain: &str, access: &Access) -> Result<Option<Place>, RegistryError> {
    Ok(access.credentials.forget(&Server::new(domain, None))?)
}

/// Asks the registry's front page as whom `credential` says; returns the identity token, if one was given.
async fn prove(
    domain: &str,
    credential: &Credential,
    access: &Access,
    notices: Notices,
) -> Result<Option<String>, RegistryError> {
    let mut failures = Failures::default();
    for endpoint in Endpoint::registry(domain, &access.config) {
        if failures.is_hopeless(&endpoint) {
            continue;
        }
        let token_servers = access.config.of(domain).token_servers;
        let identity = Identity::new(Source::Given(credential.clone()), Vec::new(), token_servers, notices.clone());
        let connection = connect(endpoint, access, tls::host_roots(), identity)?;
        let mut tries = Tries::default();
        let failure = loop {
            match connection.exchange(&Request::get(String::new())).await {
                Ok(_) if connection.identity.header().await.is_none() => {
                    notices.tell(Notice::Warning(format!("{} asks nobody who they are", connection.endpoint)));
                    return Ok(None);
                }
                Ok(_) => return Ok(connection.identity.identity_token().await),
                Err(failure) => match tries.pause_after(&failure) {
                    Some(pause) => sleep(pause).await,
                    None => break failure,
                },
            }
        };
        failures.push(&connection.endpoint, failure);
    }
    Err(RegistryError::Login { domain: domain.to_owned(), attempts: failures.attempts() })
}
