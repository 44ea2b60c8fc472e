//! One GET to one place: headers, token, status; the body is the caller's to read.
//!
//! Runs in the shell command's process, in the registry thread.

use std::error::Error;
use std::io;
use std::sync::Mutex;
use std::time::Duration;

use oci_distribution::errors::{OciEnvelope, OciErrorCode};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, RANGE, RETRY_AFTER, WWW_AUTHENTICATE};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use rustls::ClientConfig;

use super::auth;
use super::endpoint::Endpoint;
use super::failure::{Failure, Missing, said};

/// How long a connection may take to come up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a registry may be silent within an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Most redirects followed, as containerd allows.
const MOST_REDIRECTS: usize = 10;

/// Largest error document read, in bytes; what is longer is cut off.
const LARGEST_ERROR: u64 = 64 * 1024;

/// One place, and what a conversation with it needs.
pub(super) struct Connection {
    pub(super) endpoint: Endpoint,
    client: Client,
    /// The bearer token of this repository, once the place has asked for one.
    token: Mutex<Option<String>>,
}

/// What to ask for.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    /// The repository's path.
    pub(super) repository: &'a str,
    /// What follows it: `manifests/7`, `blobs/sha256:…`.
    pub(super) object: &'a str,
    /// Media types to accept; empty for any.
    pub(super) accept: &'a [&'a str],
    /// First byte wanted.
    pub(super) offset: u64,
}

impl Connection {
    /// Prepares a client; nothing is sent yet.
    pub(super) fn new(endpoint: Endpoint, tls: ClientConfig) -> Result<Connection, reqwest::Error> {
        let builder = Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(concat!("lighter/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .redirect(redirects());
        let builder = if endpoint.is_loopback() { builder.no_proxy() } else { builder };
        Ok(Connection { endpoint, client: builder.build()?, token: Mutex::new(None) })
    }

    /// Sends the request, with a token if the place wants one, and returns the answer if it is a success.
    pub(super) async fn get(&self, request: Request<'_>) -> Result<Response, Failure> {
        let response = self.send(request).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return checked(response).await;
        }
        let challenges = challenges(response.headers());
        let token = auth::token(&self.client, &self.endpoint, &challenges, request.repository).await?;
        *self.lock_token() = Some(token);
        checked(self.send(request).await?).await
    }

    async fn send(&self, request: Request<'_>) -> Result<Response, Failure> {
        let url = format!("{}/v2/{}/{}", self.endpoint.base, request.repository, request.object);
        let mut builder = self.client.get(url);
        if !request.accept.is_empty() {
            builder = builder.header(ACCEPT, request.accept.join(", "));
        }
        if request.offset > 0 {
            builder = builder.header(RANGE, format!("bytes={}-", request.offset));
        }
        if let Some(token) = self.lock_token().clone() {
            builder = builder.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        builder.send().await.map_err(transport)
    }

    fn lock_token(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        // Only a whole token is ever stored, so one left by a panic is as good as any.
        self.token.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Follows redirects, but never from TLS to plain text; reqwest drops the token where the host changes.
fn redirects() -> Policy {
    Policy::custom(|attempt| {
        let came_by_tls = attempt.previous().last().is_some_and(|url| url.scheme() == "https");
        if attempt.previous().len() > MOST_REDIRECTS {
            attempt.error("too many redirects")
        } else if came_by_tls && attempt.url().scheme() != "https" {
            attempt.error("redirect from https to http refused")
        } else {
            attempt.follow()
        }
    })
}

fn challenges(headers: &HeaderMap) -> Vec<String> {
    let texts = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    texts.map(str::to_owned).collect()
}

/// Turns an answer that is no success into its failure.
async fn checked(response: Response) -> Result<Response, Failure> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let after = retry_after(response.headers());
    let body = bounded(response, LARGEST_ERROR).await.unwrap_or_default();
    let errors = serde_json::from_slice::<OciEnvelope>(&body).map(|envelope| envelope.errors).unwrap_or_default();
    let message = errors.first().map_or(String::new(), |error| said(&error.message));
    let is_unknown_name = errors.iter().any(|error| error.code == OciErrorCode::NameUnknown);
    Err(match status {
        StatusCode::NOT_FOUND if is_unknown_name => Failure::NotFound(Missing::Repository),
        StatusCode::NOT_FOUND => Failure::NotFound(Missing::Content),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Failure::Denied(message),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            Failure::Busy { status: status.as_u16(), after }
        }
        _ => Failure::Status { status: status.as_u16(), message },
    })
}

/// Reads `Retry-After` in its seconds form, the one registries send.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// Reads a whole body, giving up beyond `limit` bytes.
pub(super) async fn bounded(mut response: Response, limit: u64) -> Result<Vec<u8>, Failure> {
    let too_long = || Failure::Protocol(format!("answer is longer than {limit} bytes"));
    if response.content_length().is_some_and(|length| length > limit) {
        return Err(too_long());
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(transport)? {
        if (body.len() + chunk.len()) as u64 > limit {
            return Err(too_long());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Sorts a transport error: no connection at all, or one that broke.
pub(super) fn transport(error: reqwest::Error) -> Failure {
    let cause = innermost(&error);
    if error.is_connect() {
        Failure::Unreachable(cause)
    } else if error.is_redirect() || error.is_builder() {
        Failure::Protocol(cause)
    } else if error.is_timeout() {
        Failure::Broken(format!("no answer within {} s", READ_TIMEOUT.as_secs()))
    } else {
        Failure::Broken(cause)
    }
}

/// Returns the innermost cause, which is the one that says what happened; the operating system's without its number.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    match cause.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error) {
        Some(number) => nix::errno::Errno::from_raw(number).desc().to_lowercase(),
        None => cause.to_string(),
    }
}
