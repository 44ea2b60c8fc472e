//! A conversation with registries for one pull: one thread, any number of blocking callers.
//!
//! Runs in the shell command's process. Before: nothing. After the session is dropped: no thread, no connection.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use bytes::Bytes;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};

use super::blob;
use super::config::RegistryConfig;
use super::failure::{Attempt, RegistryError};
use super::remote::{Remote, Served};
use crate::digest::Digest;
use crate::reference::Reference;

/// Pieces of a blob that may wait for their reader.
const DEPTH: usize = 16;

/// A conversation about one reference.
pub(crate) struct Session {
    /// `None` once the session ends; that is what ends the thread.
    requests: Option<mpsc::UnboundedSender<Request>>,
    thread: Option<JoinHandle<()>>,
}

/// Something that came of a blob.
pub(crate) enum Piece {
    /// Its next bytes.
    Bytes(Bytes),
    /// A failure that is being dealt with.
    Retry(Attempt),
}

/// A blob on its way.
pub(crate) struct Blob {
    pieces: mpsc::Receiver<Result<Piece, RegistryError>>,
}

enum Request {
    Manifest { digest: Option<Digest>, reply: oneshot::Sender<Result<Served, RegistryError>> },
    Blob { wanted: blob::Wanted, pieces: blob::PieceSender },
}

impl Session {
    /// Starts the conversation's thread; nothing is sent yet.
    pub(crate) fn start(reference: &Reference, config: &RegistryConfig) -> Result<Session, RegistryError> {
        let setup = |error: io::Error| RegistryError::Setup(error.to_string());
        let runtime = Builder::new_current_thread().enable_all().build().map_err(setup)?;
        let (sender, receiver) = mpsc::unbounded_channel();
        let (reference, config) = (reference.clone(), config.clone());
        let work = move || {
            // Reading the host's certificates takes milliseconds, so it is done here, beside the caller's own work.
            let remote = Remote::new(&reference, &config).map(Arc::new);
            runtime.block_on(serve(remote, receiver));
        };
        let thread = std::thread::Builder::new().name("registry".to_owned()).spawn(work).map_err(setup)?;
        Ok(Session { requests: Some(sender), thread: Some(thread) })
    }

    /// Fetches a manifest or index: by `digest`, or as the reference says. Blocks.
    pub(crate) fn manifest(&self, digest: Option<&Digest>) -> Result<Served, RegistryError> {
        let (reply, answer) = oneshot::channel();
        self.request(Request::Manifest { digest: digest.cloned(), reply });
        answer.blocking_recv().unwrap_or_else(|_| Err(ended()))
    }

    /// Asks for a blob of `size` bytes from `offset` on; the bytes come as they are read.
    pub(crate) fn blob(&self, digest: &Digest, offset: u64, size: u64) -> Blob {
        let (sender, pieces) = mpsc::channel(DEPTH);
        let wanted = blob::Wanted { digest: digest.clone(), offset, size };
        self.request(Request::Blob { wanted, pieces: sender });
        Blob { pieces }
    }

    fn request(&self, request: Request) {
        if let Some(requests) = &self.requests {
            // A thread that has ended shows by the reply that never comes.
            let _ = requests.send(request);
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            // Its panic has been printed, and every caller has got an error.
            let _ = thread.join();
        }
    }
}

impl Blob {
    /// Returns what comes next, `None` when all bytes have come. Blocks.
    pub(crate) fn next(&mut self) -> Result<Option<Piece>, RegistryError> {
        self.pieces.blocking_recv().transpose()
    }
}

async fn serve(remote: Result<Arc<Remote>, RegistryError>, mut requests: mpsc::UnboundedReceiver<Request>) {
    while let Some(request) = requests.recv().await {
        match &remote {
            Ok(remote) => drop(tokio::spawn(answer(Arc::clone(remote), request))),
            Err(error) => refuse(request, error.clone()).await,
        }
    }
}

async fn answer(remote: Arc<Remote>, request: Request) {
    match request {
        Request::Manifest { digest, reply } => {
            // A caller that has gone needs no answer.
            let _ = reply.send(remote.manifest(digest.as_ref()).await);
        }
        Request::Blob { wanted, pieces } => blob::stream(&remote, &wanted, &pieces).await,
    }
}

async fn refuse(request: Request, error: RegistryError) {
    match request {
        Request::Manifest { reply, .. } => drop(reply.send(Err(error))),
        Request::Blob { pieces, .. } => drop(pieces.send(Err(error)).await),
    }
}

fn ended() -> RegistryError {
    RegistryError::Setup("the registry thread has ended".to_owned())
}
