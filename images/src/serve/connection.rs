//! One connection: what it may cost, and its requests, each with a line about it.
//!
//! Runs in the shell command's process, in the thread of all connections.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::access::Users;
use super::body::Body;
use super::dispatch::answer;
use super::host::Access;
use super::pulse::Pulse;
use super::registry::Registry;
use super::reply::Refusal;

/// Largest head of a request, and what hyper reads at once, in bytes.
pub(super) const BUFFER: usize = 64 * 1024;

/// How long a client may take for the head of a request, and for the TLS handshake.
const HEAD_LIMIT: Duration = Duration::from_secs(15);

/// What older clients look for (distribution-spec, "Legacy Docker support HTTP headers").
const VERSION: (HeaderName, &str) = (HeaderName::from_static("docker-distribution-api-version"), "registry/2.0");

/// What every request needs; cheap to clone.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) registry: Arc<Registry>,
    pub(super) users: Option<Arc<Users>>,
}

impl Shared {
    /// Returns the registry, to take along to another thread.
    pub(super) fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.registry)
    }
}

/// Answers the requests of a client.
pub(super) async fn connection(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    shared: Shared,
    (peer, stopping): (SocketAddr, watch::Receiver<bool>),
) {
    // Small answers must not wait for more; if it cannot be set, they do.
    let _ = stream.set_nodelay(true);
    match tls {
        None => talk(stream, shared, peer, stopping).await,
        Some(acceptor) => {
            if let Ok(Ok(stream)) = tokio::time::timeout(HEAD_LIMIT, acceptor.accept(stream)).await {
                talk(stream, shared, peer, stopping).await;
            }
        }
    }
}

/// Answers the requests of one connection.
async fn talk<S>(stream: S, shared: Shared, peer: SocketAddr, mut stopping: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let pulse = Pulse::new();
    let service = service_fn(|request| respond(shared.clone(), request, peer, pulse.clone()));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_LIMIT).max_buf_size(BUFFER);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut is_stopping = *stopping.borrow();
    loop {
        if is_stopping {
            connection.as_mut().graceful_shutdown();
        }
        tokio::select! {
            // A client that breaks off is nothing to fail for.
            _ = &mut connection => return,
            () = pulse.stalled() => return,
            _ = stopping.changed(), if !is_stopping => is_stopping = true,
        }
    }
}

/// Answers one request, and says so.
async fn respond(
    shared: Shared,
    request: Request<Incoming>,
    peer: SocketAddr,
    pulse: Pulse,
) -> Result<Response<Body>, io::Error> {
    pulse.works();
    let mut entry = Entry::new(&shared, &request, peer);
    let is_head = request.method() == Method::HEAD;
    let answer = answer(&shared, request, &pulse, &mut entry.user).await;
    let mut response = answer.unwrap_or_else(Refusal::into_response);
    response.headers_mut().insert(VERSION.0, HeaderValue::from_static(VERSION.1));
    (entry.status, entry.bytes) = (Some(response.status().as_u16()), response.body().length());
    if is_head {
        // The head says how long the body would be; without this hyper would say 0.
        entry.bytes = 0;
        response = response.map(|_| Body::empty());
    }
    pulse.waits();
    Ok(response.map(|body| body.watched(pulse)))
}

/// The line about one request; written when this is dropped, which also happens when the client goes away.
struct Entry {
    shared: Shared,
    peer: SocketAddr,
    user: Option<String>,
    method: String,
    target: String,
    status: Option<u16>,
    bytes: u64,
    begun: Instant,
}

impl Entry {
    fn new(shared: &Shared, request: &Request<Incoming>, peer: SocketAddr) -> Entry {
        let (method, target) = (request.method().to_string(), request.uri().to_string());
        let (shared, begun) = (shared.clone(), Instant::now());
        Entry { shared, peer, user: None, method, target, status: None, bytes: 0, begun }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.shared.registry.host.answered(&Access {
            peer: self.peer,
            user: self.user.as_deref(),
            method: &self.method,
            target: &self.target,
            status: self.status,
            bytes: self.bytes,
            duration: self.begun.elapsed(),
        });
    }
}
