//! The trip to a token server.
//!
//! Runs in the shell command's process, in the registry thread. Distribution project, "Token Authentication
//! Specification" (GET, with name and password or without) and "OAuth2 Token Authentication" (POST, with an identity
//! token). No redirect is followed: what is sent is for this server alone.

use std::time::{Duration, Instant};

use reqwest::header::CONTENT_TYPE;
use reqwest::{RequestBuilder, StatusCode, Url};
use serde::Deserialize;

use crate::registry::credentials::Credential;
use crate::registry::failure::Failure;
use crate::registry::http::{Clients, bounded, checked, transport};

/// Largest answer of a token server, in bytes.
const LARGEST_TOKEN: u64 = 256 * 1024;

/// How long a token is good for if its server does not say ("Token Authentication Specification", `expires_in`).
const USUAL_LIFE: Duration = Duration::from_secs(60);

/// By how much earlier than it ends a token is renewed: the request that carries it has yet to arrive.
const MARGIN: Duration = Duration::from_secs(5);

/// What we call ourselves at token servers.
const CLIENT: &str = "lighter";

/// What to get a token for.
pub(super) struct Wanted<'a> {
    pub(super) realm: &'a Url,
    pub(super) service: Option<&'a str>,
    /// `repository:NAME:ACTION,…`; none to log in only.
    pub(super) scopes: &'a [String],
    /// Whether to ask for an identity token too, which is kept instead of the password.
    pub(super) offline: bool,
}

/// What a token server gave.
pub(super) struct Token {
    pub(super) bearer: String,
    /// From when on it should be renewed.
    pub(super) until: Instant,
    /// An identity token.
    pub(super) identity: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    token: Option<String>,
    access_token: Option<String>,
    refresh_token: Option<String>,
    expires_in: Option<u64>,
}

/// Gets a token, as whom `credential` says.
pub(super) async fn fetch(
    clients: &Clients,
    wanted: &Wanted<'_>,
    credential: Option<&Credential>,
) -> Result<Token, Failure> {
    match credential {
        Some(Credential::IdentityToken(token)) => {
            send(post(clients, wanted, [("grant_type", "refresh_token"), ("refresh_token", token)]), wanted).await
        }
        Some(Credential::Password { user, password }) => {
            let request = get(clients, wanted, Some(user)).basic_auth(user, Some(password));
            match send(request, wanted).await {
                // Some servers have the other form only.
                Err(Failure::NotFound(_) | Failure::Status { status: 405, .. }) => {
                    let grant = [("grant_type", "password"), ("username", user), ("password", password)];
                    send(post(clients, wanted, grant), wanted).await
                }
                result => result,
            }
        }
        Some(Credential::RegistryToken(_)) | None => send(get(clients, wanted, None), wanted).await,
    }
}

fn get(clients: &Clients, wanted: &Wanted<'_>, user: Option<&str>) -> RequestBuilder {
    let mut url = wanted.realm.clone();
    url.query_pairs_mut()
        .extend_pairs(wanted.service.map(|service| ("service", service)))
        .extend_pairs(wanted.scopes.iter().map(|scope| ("scope", scope)))
        .extend_pairs(user.map(|user| ("account", user)))
        .extend_pairs([("client_id", CLIENT), ("offline_token", "true")].into_iter().filter(|_| wanted.offline));
    if url.query() == Some("") {
        url.set_query(None);
    }
    clients.still.get(url).timeout(clients.stall_timeout)
}

fn post<'a>(
    clients: &Clients,
    wanted: &Wanted<'_>,
    grant: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> RequestBuilder {
    // The URL's own encoding of a query is that of a form.
    let mut form = wanted.realm.clone();
    form.query_pairs_mut()
        .clear()
        .extend_pairs(grant)
        .extend_pairs(wanted.service.map(|service| ("service", service)))
        .append_pair("client_id", CLIENT)
        .append_pair("scope", &wanted.scopes.join(" "))
        .extend_pairs(wanted.offline.then_some(("access_type", "offline")));
    let body = form.query().unwrap_or_default().to_owned();
    let request = clients.still.post(wanted.realm.clone()).timeout(clients.stall_timeout);
    request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body)
}

async fn send(request: RequestBuilder, wanted: &Wanted<'_>) -> Result<Token, Failure> {
    let host = wanted.realm.host_str().unwrap_or_default();
    let response = request.send().await.map_err(transport)?;
    if matches!(response.status(), StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        // 400 is how RFC 6749, section 5.2, refuses a grant.
        return Err(Failure::Denied(format!(": token server `{host}` answers {}", response.status().as_u16())));
    }
    let body = bounded(checked(response).await?, LARGEST_TOKEN).await?;
    // The error of a JSON reader may quote the text, and the text is a secret.
    let without_token = || Failure::Protocol(format!("token server `{host}` answers without a token"));
    let answer: Answer = serde_json::from_slice(&body).map_err(|_| without_token())?;
    let bearer = answer.token.or(answer.access_token).filter(|token| !token.is_empty()).ok_or_else(without_token)?;
    let life = answer.expires_in.map_or(USUAL_LIFE, Duration::from_secs).max(MARGIN * 2);
    let until = Instant::now() + (life - MARGIN).min(Duration::from_secs(24 * 60 * 60));
    Ok(Token { bearer, until, identity: answer.refresh_token.filter(|token| !token.is_empty()) })
}
