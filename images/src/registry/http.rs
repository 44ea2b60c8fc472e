//! One exchange with one place: headers, token, status; the answer's body is the caller's to read.
//!
//! Runs in the shell command's process, in the registry thread.

use std::error::Error;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use oci_distribution::errors::{OciEnvelope, OciErrorCode};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};
use rustls::ClientConfig;

use super::access::Access;
use super::auth::Identity;
use super::endpoint::Endpoint;
use super::failure::{Failure, Missing, said};
use super::request::{Payload, Request, Target};

/// How long a connection may take to come up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How many stall timeouts a registry may take over an upload it has: it may have to move the whole blob first.
const UPLOAD_PATIENCE: u32 = 4;

/// Most redirects followed, as containerd allows.
const MOST_REDIRECTS: usize = 10;

/// Largest error document read, in bytes; what is longer is cut off.
const LARGEST_ERROR: u64 = 64 * 1024;

/// What talks HTTP to one place and to its token server.
pub(super) struct Clients {
    /// Follows redirects, and gives up when nothing comes.
    pub(super) following: Client,
    /// Follows none, and has no limit of its own: for what carries secrets or blobs.
    pub(super) still: Client,
    /// Time without a byte after which a connection counts as broken.
    pub(super) stall_timeout: Duration,
}

impl Clients {
    fn new(endpoint: &Endpoint, tls: ClientConfig, access: &Access) -> Result<Clients, reqwest::Error> {
        let builder = || {
            let builder = Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .user_agent(concat!("lighter/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(CONNECT_TIMEOUT);
            if endpoint.is_loopback() { Ok(builder.no_proxy()) } else { access.proxies.apply(builder) }
        };
        let stall_timeout = access.stall_timeout;
        let following = builder()?.read_timeout(stall_timeout).redirect(redirects()).build()?;
        let still = builder()?.redirect(Policy::none()).build()?;
        Ok(Clients { following, still, stall_timeout })
    }
}

/// One place, and what a conversation with it needs.
pub(super) struct Connection {
    pub(super) endpoint: Endpoint,
    clients: Clients,
    pub(super) identity: Identity,
}

impl Connection {
    /// Prepares a client; nothing is sent yet.
    pub(super) fn new(
        endpoint: Endpoint,
        tls: ClientConfig,
        access: &Access,
        identity: Identity,
    ) -> Result<Connection, reqwest::Error> {
        let clients = Clients::new(&endpoint, tls, access)?;
        Ok(Connection { endpoint, clients, identity })
    }

    /// Sends the request, as whom the place wants, and returns the answer if it is a success.
    pub(super) async fn exchange(&self, request: &Request) -> Result<Response, Failure> {
        match self.try_exchange(request).await {
            Err(failure) => Err(self.identity.attribute(failure).await),
            answer => answer,
        }
    }

    async fn try_exchange(&self, request: &Request) -> Result<Response, Failure> {
        let url = self.url(&request.target)?;
        let is_ours = self.is_same_origin(&url);
        let header = if is_ours { self.identity.header().await } else { None };
        let response = self.send(request, url.clone(), header.clone()).await?;
        // What a host behind a redirect wants to see is none of its business.
        if response.status() != StatusCode::UNAUTHORIZED || !is_ours || !self.is_same_origin(response.url()) {
            return checked(response).await;
        }
        let challenges = challenges(response.headers());
        self.identity.renew(&self.clients, &self.endpoint, &challenges, header.as_ref()).await?;
        checked(self.send(request, url, self.identity.header().await).await?).await
    }

    async fn send(&self, request: &Request, url: Url, header: Option<HeaderValue>) -> Result<Response, Failure> {
        let client = if request.is_reading() { &self.clients.following } else { &self.clients.still };
        let mut builder = client.request(request.method.clone(), url).headers(request.headers.clone());
        if let Some(header) = header {
            builder = builder.header(AUTHORIZATION, header);
        }
        match &request.payload {
            _ if request.is_reading() => builder.send().await.map_err(transport),
            Payload::Bytes(bytes) => self.unless_stalled(builder.body(bytes.clone()).send(), || 0).await,
            Payload::Part(part) => {
                let (body, moved) = part.body();
                self.unless_stalled(builder.body(body).send(), || moved.load(Ordering::Relaxed)).await
            }
        }
    }

    /// Waits for the answer to what is sent, as long as more of it goes out.
    async fn unless_stalled(
        &self,
        answer: impl Future<Output = reqwest::Result<Response>>,
        moved: impl Fn() -> u64,
    ) -> Result<Response, Failure> {
        let (mut answer, mut seen) = (pin!(answer), None);
        loop {
            match tokio::time::timeout(self.clients.stall_timeout * UPLOAD_PATIENCE, &mut answer).await {
                Ok(answer) => return answer.map_err(transport),
                Err(_) if seen == Some(moved()) => return Err(stalled()),
                Err(_) => seen = Some(moved()),
            }
        }
    }

    fn url(&self, target: &Target) -> Result<Url, Failure> {
        match target {
            Target::Path(path) => {
                let text = format!("{}/v2/{path}", self.endpoint.base);
                text.parse().map_err(|_| Failure::Protocol(format!("`{}` is no URL", text.escape_default())))
            }
            Target::Url(url) => Ok(url.clone()),
        }
    }

    fn is_same_origin(&self, url: &Url) -> bool {
        self.endpoint.base.parse::<Url>().is_ok_and(|base| base.origin() == url.origin())
    }

    /// Reads where an answer says that something goes on. A registry behind a proxy that ends TLS may say `http`; it is
    /// taken at its word for the rest, never for the loss of TLS.
    pub(super) fn location(&self, response: &Response) -> Result<Url, Failure> {
        let text = response.headers().get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut url = response.url().join(text).map_err(|_| no_location())?;
        let base: Url = self.endpoint.base.parse().map_err(|_| no_location())?;
        if self.endpoint.is_tls() && url.scheme() == "http" && url.host_str() == base.host_str() {
            url.set_scheme("https").and_then(|()| url.set_port(base.port())).map_err(|()| no_location())?;
        }
        let is_safe = url.scheme() == "https" || (!self.endpoint.is_tls() && url.scheme() == "http");
        if text.is_empty() || !is_safe { Err(no_location()) } else { Ok(url) }
    }
}

fn no_location() -> Failure {
    Failure::Protocol("does not say where the upload goes on".to_owned())
}

/// Follows redirects, but never from TLS to plain text, and never to a link-local address, where clouds keep secrets of
/// this host; reqwest drops the token where scheme, host or port change.
fn redirects() -> Policy {
    Policy::custom(|attempt| {
        let previous = attempt.previous().last();
        let came_by_tls = previous.is_some_and(|url| url.scheme() == "https");
        let is_elsewhere = previous.is_some_and(|url| url.host_str() != attempt.url().host_str());
        if attempt.previous().len() > MOST_REDIRECTS {
            attempt.error("too many redirects")
        } else if came_by_tls && attempt.url().scheme() != "https" {
            attempt.error("redirect from https to http refused")
        } else if is_elsewhere && attempt.url().host_str().is_some_and(is_link_local) {
            attempt.error("redirect to a link-local address refused")
        } else {
            attempt.follow()
        }
    })
}

fn is_link_local(host: &str) -> bool {
    match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(address)) => address.is_link_local(),
        Ok(IpAddr::V6(address)) => address.is_unicast_link_local(),
        Err(_) => false,
    }
}

fn challenges(headers: &HeaderMap) -> Vec<String> {
    let texts = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    texts.map(str::to_owned).collect()
}

/// Turns an answer that is no success into its failure.
pub(super) async fn checked(response: Response) -> Result<Response, Failure> {
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
            Failure::Busy { status: status.as_u16(), after, who: String::new() }
        }
        _ => Failure::Status { status: status.as_u16(), message },
    })
}

/// Reads `Retry-After`: seconds, or the time when to come back (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let then = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Some(Duration::try_from(then.duration_since(jiff::Timestamp::now())).unwrap_or(Duration::ZERO))
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
        stalled()
    } else {
        Failure::Broken(cause)
    }
}

fn stalled() -> Failure {
    Failure::Broken("stalled: nothing came for too long".to_owned())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn after(text: &str) -> Option<Duration> {
        retry_after(&HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]))
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        assert_eq!(after("120"), Some(Duration::from_secs(120)));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        let then = jiff::Timestamp::now() + Duration::from_secs(90);
        let text = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&then).unwrap();
        let pause = after(&text).unwrap();
        assert!((88..=90).contains(&pause.as_secs()), "{text}: {pause:?}");
        // As one registry in the wild has it.
        assert_eq!([after("985µs"), after("soon"), after("-1")], [None, None, None]);
    }

    #[test]
    fn link_local_addresses_are_known_in_every_form() {
        assert!(["169.254.169.254", "[fe80::1]", "[::ffff:169.254.1.1]"].into_iter().all(is_link_local));
        assert!(!["127.0.0.1", "registry.example", "[::1]"].into_iter().any(is_link_local));
    }
}
