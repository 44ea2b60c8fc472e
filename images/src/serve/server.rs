//! Connections: accepted, limited, answered, and ended in order.
//!
//! Runs in the shell command's process: one thread for all connections, and a few that wait for the disk. Before: nothing.
//! After [`Server::run`]: no socket, and requests under way have had a while to end.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::access::{HtpasswdError, Users};
use super::body::{Body, Intake, blocking};
use super::pulse::Pulse;
use super::registry::{Place, Registry, SWEEP_EVERY};
use super::reply::{Answer, Refusal, code, json_response};
use super::route::{Query, Route};
use super::{tls, upload};
use crate::digest::Digest;
use crate::manifest::LARGEST_MANIFEST;
use crate::store::{Store, StoreError};

/// Connections at once; more wait to be accepted. Each has a buffer of [`BUFFER`] and two open files.
const MOST_CONNECTIONS: usize = 256;

/// Threads that wait for the disk.
const DISK_THREADS: usize = 16;

/// Largest head of a request, and what hyper reads at once, in bytes.
const BUFFER: usize = 64 * 1024;

/// How long a client may take for the head of a request, and for the TLS handshake.
const HEAD_LIMIT: Duration = Duration::from_secs(15);

/// How long requests under way may go on when the server is told to end.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// How to serve.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// Where to listen; port 0 takes any.
    pub listen: SocketAddr,
    /// Whether pushes and deletions are refused.
    pub read_only: bool,
    /// Certificate and key; `None` serves plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Users and the bcrypt hashes of their passwords; `None` serves everybody. Read again when it changes.
    pub htpasswd: Option<PathBuf>,
}

/// PEM files of a server.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The certificate, and those between it and a root.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// What the server asks of and tells to whoever runs it; called from several threads.
pub trait Host: Send + Sync + 'static {
    /// Returns who uses an image, in words, so that its layers must stay.
    fn user_of(&self, image: &Digest) -> Option<String>;

    /// Takes a request that was answered.
    fn answered(&self, access: &Access<'_>);
}

/// A request that was answered; its body may still be on its way.
#[derive(Debug)]
pub struct Access<'a> {
    /// Where it came from.
    pub peer: SocketAddr,
    /// Whose credentials it had.
    pub user: Option<&'a str>,
    /// Its method.
    pub method: &'a str,
    /// Its path and query, as sent.
    pub target: &'a str,
    /// Status of the answer; `None` if the client went away before there was one.
    pub status: Option<u16>,
    /// Bytes of the answer's body.
    pub bytes: u64,
    /// Time from its head to the head of the answer.
    pub duration: Duration,
}

/// Why the store cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened at.
    #[error("listen at {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Certificate or key is of no use.
    #[error("TLS file `{}`: {why}", path.display())]
    Tls {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The file of users is of no use.
    #[error(transparent)]
    Htpasswd(#[from] HtpasswdError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Threads, timers or signals cannot be had.
    #[error("set up the server")]
    Setup(#[source] io::Error),
}

/// A server that listens; connections wait until it runs.
pub struct Server {
    runtime: Runtime,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    shared: Shared,
}

/// What every request needs; cheap to clone.
#[derive(Clone)]
pub(super) struct Shared {
    registry: Arc<Registry>,
    users: Option<Arc<Users>>,
}

impl Shared {
    /// Returns the registry, to take along to another thread.
    pub(super) fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.registry)
    }
}

impl Server {
    /// Reads the files of `options` and listens; what a killed server left is cleared away.
    ///
    /// # Errors
    /// See [`ServeError`].
    pub fn open(store: &Store, options: &ServeOptions, host: Arc<dyn Host>) -> Result<Server, ServeError> {
        let tls = options.tls.as_ref().map(tls::acceptor).transpose()?;
        let users = options.htpasswd.as_deref().map(Users::load).transpose()?.map(Arc::new);
        let mut builder = Builder::new_current_thread();
        let runtime = builder.enable_all().max_blocking_threads(DISK_THREADS).build().map_err(ServeError::Setup)?;
        let listen = |source| ServeError::Listen { address: options.listen, source };
        let listener = runtime.block_on(TcpListener::bind(options.listen)).map_err(listen)?;
        store.sweep_uploads()?;
        let registry = Arc::new(Registry::new(store.clone(), options.read_only, host));
        Ok(Server { runtime, listener, tls, shared: Shared { registry, users } })
    }

    /// Returns the address it listens at.
    ///
    /// # Errors
    /// [`ServeError::Setup`] if the socket has none.
    pub fn address(&self) -> Result<SocketAddr, ServeError> {
        self.listener.local_addr().map_err(ServeError::Setup)
    }

    /// Serves until SIGTERM or SIGINT; a second one ends requests under way as well.
    ///
    /// # Errors
    /// [`ServeError::Setup`] if signals cannot be waited for.
    pub fn run(self) -> Result<(), ServeError> {
        let Server { runtime, listener, tls, shared } = self;
        let served = runtime.block_on(async {
            let mut ends = Ends::new().map_err(ServeError::Setup)?;
            serve(listener, tls, shared, &mut ends).await;
            Ok(())
        });
        // Whatever is being written is whole or not there, so nobody has to wait for it longer.
        runtime.shutdown_timeout(Duration::from_secs(2));
        served
    }
}

/// The signals that end the server.
struct Ends(tokio::signal::unix::Signal, tokio::signal::unix::Signal);

impl Ends {
    fn new() -> io::Result<Ends> {
        Ok(Ends(signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?))
    }

    async fn next(&mut self) {
        tokio::select! { _ = self.0.recv() => {}, _ = self.1.recv() => {} }
    }
}

async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Shared, ends: &mut Ends) {
    let (stop, stopping) = watch::channel(false);
    let mut connections = JoinSet::new();
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut sweeps = tokio::time::interval(SWEEP_EVERY);
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (listener.accept().await, place)
        };
        tokio::select! {
            () = ends.next() => break,
            _ = sweeps.tick() => sweep(&shared).await,
            (accepted, place) = accepted => match accepted {
                Ok((stream, peer)) => {
                    let connection = connection(stream, tls.clone(), shared.clone(), (peer, stopping.clone()));
                    connections.spawn(async move { connection.await; drop(place) });
                }
                // Out of descriptors, or the client was gone already: there will be room again.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            },
        }
    }
    drop(listener);
    // Nobody receives it only if there is no connection.
    let _ = stop.send(true);
    let all = async { while connections.join_next().await.is_some() {} };
    tokio::select! { () = all => {}, () = ends.next() => {}, () = tokio::time::sleep(LAST_WORDS) => {} }
}

async fn sweep(shared: &Shared) {
    let registry = shared.registry();
    // What cannot be swept now is swept the next time.
    let _ = blocking(move || registry.sweep()).await;
}

async fn connection(
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

/// What older clients look for (distribution-spec, "Legacy Docker support HTTP headers").
const VERSION: (HeaderName, &str) = (HeaderName::from_static("docker-distribution-api-version"), "registry/2.0");

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

async fn answer(shared: &Shared, request: Request<Incoming>, pulse: &Pulse, user: &mut Option<String>) -> Answer {
    if let Some(users) = &shared.users {
        *user = Some(Arc::clone(users).user(request.headers().get(AUTHORIZATION)).await?);
    }
    let (head, body) = request.into_parts();
    let route = Route::parse(head.uri.path())?;
    let query = Query::parse(head.uri.query().unwrap_or_default());
    let intake = Intake::new(body, pulse.clone());
    dispatch(shared, Asked { method: head.method, headers: head.headers, query }, route, intake).await
}

/// A request without its path and body.
struct Asked {
    method: Method,
    headers: HeaderMap,
    query: Query,
}

async fn dispatch(shared: &Shared, asked: Asked, route: Route, intake: Intake) -> Answer {
    let Asked { method, headers, query } = asked;
    let registry = shared.registry();
    let place = |name: String| Place::new(name, query.upstream.as_deref());
    let is_read = method == Method::GET || method == Method::HEAD;
    match route {
        Route::Base if is_read => Ok(json_response(StatusCode::OK, "{}".to_owned())),
        Route::Catalog if is_read => blocking(move || registry.repositories(&query)).await,
        Route::Tags { name } if is_read => {
            let place = place(name)?;
            blocking(move || registry.tags(&place, &query)).await
        }
        Route::Referrers { name, digest } if is_read => {
            let place = place(name)?;
            blocking(move || registry.referrers(&place, &digest, &query)).await
        }
        Route::Manifest { name, wanted } if is_read => {
            let place = place(name)?;
            blocking(move || registry.manifest(&place, &wanted, &headers)).await
        }
        Route::Manifest { name, wanted } if method == Method::PUT => {
            registry.writable()?;
            let place = Place::new(name, None)?;
            let limit = format!("a manifest has at most {LARGEST_MANIFEST} bytes");
            let too_large = Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, code::SIZE_INVALID, limit);
            let bytes = intake.whole(LARGEST_MANIFEST, too_large).await?;
            let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
            blocking(move || registry.put_manifest(&place, &wanted, media_type.as_deref(), &bytes)).await
        }
        Route::Manifest { name, wanted } if method == Method::DELETE => {
            let place = Place::new(name, None)?;
            blocking(move || registry.delete_manifest(&place, &wanted)).await
        }
        Route::Blob { digest, .. } if method == Method::HEAD => {
            blocking(move || registry.blob_head(&digest, &headers)).await
        }
        Route::Blob { digest, .. } if is_read => blocking(move || registry.blob(&digest, &headers)).await,
        Route::Blob { digest, .. } if method == Method::DELETE => blocking(move || registry.delete_blob(&digest)).await,
        Route::Uploads { name } if method == Method::POST => {
            upload::begin(shared, Place::new(name, None)?, query, intake).await
        }
        Route::Upload { name, id } => {
            let place = Place::new(name, None)?;
            match method {
                Method::GET | Method::HEAD => upload::status(shared, place, id),
                Method::PATCH => upload::append(shared, (place, id), &headers, intake).await,
                Method::PUT => upload::finish(shared, (place, id, query), &headers, intake).await,
                Method::DELETE => upload::cancel(shared, place, id),
                _ => Err(Refusal::not_allowed("this method is not for this path")),
            }
        }
        _ => Err(Refusal::not_allowed("this method is not for this path")),
    }
}
