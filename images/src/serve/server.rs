//! Connections: accepted, limited, answered, and ended in order.
//!
//! Runs in the shell command's process: one thread for all connections, and a few that wait for the disk. Before: nothing.
//! After [`Server::run`]: no socket, and requests under way have had a while to end.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{SigSet, SigmaskHow, Signal::SIGINT, Signal::SIGTERM};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::access::{HtpasswdError, Users};
use super::body::blocking;
use super::connection::{Shared, connection};
use super::host::Host;
use super::registry::{Registry, SWEEP_EVERY};
use super::tls;
use crate::store::{Store, StoreError};

/// Connections at once; more wait to be accepted. Each has a few buffers, 1 MiB at most, and two open files.
const MOST_CONNECTIONS: usize = 256;

/// Threads that wait for the disk.
const DISK_THREADS: usize = 16;

/// How long requests under way may go on when the server is told to end.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// How long files may then still be written.
const LAST_WRITES: Duration = Duration::from_secs(2);

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

    /// Serves until SIGTERM or SIGINT; a second one ends requests under way as well. `ready` is called as soon as either of them
    /// ends the server in order, which whoever hears of it may do at once.
    ///
    /// # Errors
    /// [`ServeError::Setup`] if signals cannot be waited for.
    pub fn run(self, ready: impl FnOnce()) -> Result<(), ServeError> {
        let inside = self.runtime.enter();
        let ends = Ends::of_signals().map_err(ServeError::Setup)?;
        drop(inside);
        ready();
        self.serve(ends);
        Ok(())
    }

    /// Serves as long as the process lives, whose signals are left alone.
    pub fn run_forever(self) {
        self.serve(Ends(None));
    }

    fn serve(self, mut ends: Ends) {
        let Server { runtime, listener, tls, shared } = self;
        runtime.block_on(serve(listener, tls, shared, &mut ends));
        // Whatever is being written is whole or not there, so nobody has to wait for it longer.
        runtime.shutdown_timeout(LAST_WRITES);
    }
}

/// What ends the server.
struct Ends(Option<(Signal, Signal)>);

impl Ends {
    fn of_signals() -> io::Result<Ends> {
        // They wait meanwhile: one that came after its handler is there, and before that knows what to do, would be lost.
        let before = SigSet::from_iter([SIGTERM, SIGINT]).thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        let signals = signal(SignalKind::terminate()).and_then(|terminate| {
            let interrupt = signal(SignalKind::interrupt())?;
            Ok((terminate, interrupt))
        });
        before.thread_set_mask()?;
        Ok(Ends(Some(signals?)))
    }

    async fn next(&mut self) {
        match &mut self.0 {
            Some((terminate, interrupt)) => tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} },
            None => std::future::pending().await,
        }
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
