//! Who we are at one place: nobody until it asks, then whoever the credentials say.
//!
//! Runs in the shell command's process, in the registry thread. A password goes to the registry it is kept for, and to a
//! token server of the same domain; a token goes to the place that asked for it.

mod challenge;
mod token;

use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use tokio::sync::Mutex;

use self::challenge::{Challenge, may_see_password};
use self::token::Wanted;
use super::credentials::{Credential, CredentialStore, Found, Server};
use super::endpoint::Endpoint;
use super::failure::Failure;
use super::http::Clients;
use super::notice::{Notice, Notices};

/// Where credentials come from.
pub(super) enum Source {
    /// They are looked up when the place asks.
    Kept {
        /// Where.
        store: CredentialStore,
        /// For whom.
        server: Server,
    },
    /// They are these, yet to be found right: a login.
    Given(Credential),
}

/// Who we are at one place.
pub(super) struct Identity {
    source: Source,
    /// What tokens are to allow.
    scopes: Vec<String>,
    /// Hosts of token servers elsewhere that may see the password.
    token_servers: Vec<String>,
    notices: Notices,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The Authorization header, and from when on it should be renewed.
    presented: Option<(HeaderValue, Option<Instant>)>,
    /// What the look-up found, once there was one.
    found: Option<Option<Found>>,
    /// The identity token that a token server gave.
    identity_token: Option<String>,
}

impl State {
    /// Returns the header, unless it has run out.
    fn valid(&self) -> Option<&HeaderValue> {
        let (value, until) = self.presented.as_ref()?;
        until.is_none_or(|until| Instant::now() < until).then_some(value)
    }
}

impl Identity {
    pub(super) fn new(source: Source, scopes: Vec<String>, token_servers: Vec<String>, notices: Notices) -> Identity {
        Identity { source, scopes, token_servers, notices, state: Mutex::default() }
    }

    /// Returns the Authorization header to send, if the place has asked for one and it has not run out.
    pub(super) async fn header(&self) -> Option<HeaderValue> {
        self.state.lock().await.valid().cloned()
    }

    /// Returns the identity token that a token server gave, if any.
    pub(super) async fn identity_token(&self) -> Option<String> {
        self.state.lock().await.identity_token.clone()
    }

    /// Prepares another header, as the `challenges` (WWW-Authenticate) say, since the place does not take `refused`.
    pub(super) async fn renew(
        &self,
        clients: &Clients,
        endpoint: &Endpoint,
        challenges: &[String],
        refused: Option<&HeaderValue>,
    ) -> Result<(), Failure> {
        let mut state = self.state.lock().await;
        if state.valid().is_some_and(|value| Some(value) != refused) {
            return Ok(()); // another request of ours has renewed it meanwhile
        }
        let found = self.look_up(&mut state);
        let presented = match (Challenge::of(challenges, endpoint)?, &found) {
            (_, Some(Found { credential: Credential::RegistryToken(token), .. })) => (secret("Bearer", token)?, None),
            (Challenge::Basic, Some(Found { credential: Credential::Password { user, password }, .. })) => {
                (secret("Basic", &STANDARD.encode(format!("{user}:{password}")))?, None)
            }
            (Challenge::Basic, _) => return Err(Failure::Denied(String::new())),
            (Challenge::Bearer { realm, service }, found) => {
                let wanted = Wanted {
                    realm: &realm,
                    service: service.as_deref(),
                    scopes: &self.scopes,
                    offline: matches!(self.source, Source::Given(_)),
                };
                let credential = found.as_ref().map(|found| &found.credential);
                let credential = credential.filter(|_| self.may_send_to(&wanted, endpoint));
                let token = token::fetch(clients, &wanted, credential).await?;
                state.identity_token = token.identity.or(state.identity_token.take());
                (secret("Bearer", &token.bearer)?, Some(token.until))
            }
        };
        if refused == Some(&presented.0) {
            return Err(Failure::Denied(String::new()));
        }
        state.presented = Some(presented);
        Ok(())
    }

    /// Adds to a refusal who was refused, if the place has asked.
    pub(super) async fn attribute(&self, failure: Failure) -> Failure {
        match &self.state.lock().await.found {
            Some(found) => whose(failure, found),
            None => failure,
        }
    }

    /// Looks the credential up, once. What is broken is told, and then we are nobody: the image may be public.
    fn look_up(&self, state: &mut State) -> Option<Found> {
        let look = || match &self.source {
            Source::Given(credential) => Some(Found { credential: credential.clone(), place: None }),
            Source::Kept { store, server } => store.find(server).unwrap_or_else(|error| {
                self.notices.tell(Notice::Warning(format!("going on without a login: {error}")));
                None
            }),
        };
        state.found.get_or_insert_with(look).clone()
    }

    fn may_send_to(&self, wanted: &Wanted<'_>, endpoint: &Endpoint) -> bool {
        let host = wanted.realm.host_str().unwrap_or_default();
        let may = may_see_password(host, endpoint.authority(), &self.token_servers);
        if !may {
            self.notices.tell(Notice::Warning(format!(
                "token server `{host}` is not of the domain of {endpoint}: it is not told the login; \
                 `token_servers` in the configuration allows it"
            )));
        }
        may
    }
}

/// Adds to a refusal who was refused.
fn whose(failure: Failure, found: &Option<Found>) -> Failure {
    let who = found.as_ref().map(|Found { credential, place }| {
        let user = credential.user().map_or("the token".to_owned(), |user| format!("user `{user}`"));
        let place = place.as_ref().map_or(String::new(), |place| format!(" of {place}"));
        user + &place
    });
    match (failure, who) {
        (Failure::Denied(text), Some(who)) => Failure::Denied(format!(" to {who}{text}")),
        (Failure::Denied(text), None) => Failure::Denied(format!("{text}; nobody is logged in there")),
        (Failure::Busy { status, after, .. }, who) => {
            let who = who.map_or(" (nobody is logged in there)".to_owned(), |who| format!(" (asked as {who})"));
            Failure::Busy { status, after, who }
        }
        (failure, _) => failure,
    }
}

/// Makes a header that debug output does not show.
fn secret(scheme: &str, text: &str) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::try_from(format!("{scheme} {text}"))
        .map_err(|_| Failure::Protocol("the token has characters that no header may have".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_header_that_has_run_out_is_none() {
        let value = secret("Bearer", "x").unwrap();
        let state = |until| State { presented: Some((value.clone(), until)), ..State::default() };
        let now = Instant::now();
        assert!(state(None).valid().is_some() && state(Some(now + Duration::from_secs(60))).valid().is_some());
        assert!(state(Some(now)).valid().is_none() && State::default().valid().is_none());
    }

    #[test]
    fn a_token_that_no_header_can_have_is_refused_without_repeating_it() {
        let error = secret("Bearer", "sentinel\n").unwrap_err().to_string();
        assert!(!error.contains("sentinel"), "{error}");
    }
}
