//! A conversation with registries about one repository: one thread that talks, any number of blocking callers, and one
//! thread that passes on what is told on the way.
//!
//! Runs in the shell command's process. Before: nothing. Afterwards: no thread, no connection.

use std::cell::OnceCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use bytes::Bytes;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{LocalSet, spawn_local};

use super::access::Access;
use super::blob;
use super::failure::RegistryError;
use super::notice::{Notice, Notices};
use super::remote::{Remote, Served, Subject};
use super::upload::{Outgoing, Pushed};
use crate::digest::Digest;
use crate::progress::{Event, Progress};

/// Pieces of a blob that may wait for their reader.
const DEPTH: usize = 16;

/// The repository, or why nobody can talk to it.
type Reached = Result<Rc<Remote>, RegistryError>;

/// Something to do in the registry thread.
type Job = Box<dyn FnOnce(Reached) -> Pin<Box<dyn Future<Output = ()>>> + Send>;

/// A conversation about one repository.
pub(crate) struct Session {
    jobs: mpsc::UnboundedSender<Job>,
}

/// A blob on its way.
pub(crate) struct Blob {
    pieces: mpsc::Receiver<Result<Bytes, RegistryError>>,
}

/// Holds a conversation for as long as `work` takes.
pub(crate) fn converse<T>(
    subject: &Subject,
    access: &Access,
    progress: &dyn Progress,
    work: impl FnOnce(&Session) -> T,
) -> Result<T, RegistryError> {
    let setup = |error: io::Error| RegistryError::Setup(error.to_string());
    let runtime = Builder::new_current_thread().enable_all().build().map_err(setup)?;
    let (sender, jobs) = mpsc::unbounded_channel();
    let (notices, told) = channel();
    let talk = move || {
        // Reading the host's certificates takes milliseconds, so it is done here, beside the caller's own work, and only
        // if there is anything to say.
        let remote = OnceCell::new();
        let new = || Remote::new(subject, access, Notices(notices.clone())).map(Rc::new);
        let reach = || remote.get_or_init(new).clone();
        LocalSet::new().block_on(&runtime, serve(reach, jobs));
    };
    thread::scope(|scope| {
        thread::Builder::new().name("registry".to_owned()).spawn_scoped(scope, talk).map_err(setup)?;
        thread::Builder::new()
            .name("notices".to_owned())
            .spawn_scoped(scope, move || pass_on(&told, progress))
            .map_err(setup)?;
        // Its end ends the registry thread, and that the other one.
        let session = Session { jobs: sender };
        Ok(work(&session))
    })
}

impl Session {
    /// Fetches a manifest or index: by `digest`, or as the reference says. Blocks.
    pub(crate) fn manifest(&self, digest: Option<&Digest>) -> Result<Served, RegistryError> {
        let digest = digest.cloned();
        self.ask(|remote| async move { remote.manifest(digest.as_ref()).await })
    }

    /// Asks what the reference's tag points at; `None` if the registry does not say. Blocks.
    pub(crate) fn digest(&self) -> Result<Option<Digest>, RegistryError> {
        self.ask(|remote| async move { remote.digest().await })
    }

    /// Lists the repository's tags. Blocks.
    pub(crate) fn tags(&self) -> Result<Vec<String>, RegistryError> {
        self.ask(|remote| async move { remote.tags().await })
    }

    /// Finds the place to write to. Blocks.
    pub(crate) fn settle(&self) -> Result<(), RegistryError> {
        self.ask(|remote| async move { remote.settle().await })
    }

    /// Has the registry have a blob, by the cheapest way. Blocks.
    pub(crate) fn push_blob(&self, blob: Outgoing) -> Result<Pushed, RegistryError> {
        self.ask(|remote| async move { remote.push_blob(&blob).await })
    }

    /// Puts a manifest under a tag. Blocks.
    pub(crate) fn push_manifest(&self, tag: &str, media_type: &str, bytes: Vec<u8>) -> Result<(), RegistryError> {
        let (tag, media_type) = (tag.to_owned(), media_type.to_owned());
        self.ask(|remote| async move { remote.push_manifest(&tag, &media_type, bytes.into()).await })
    }

    /// Asks for a blob of `size` bytes from `offset` on; the bytes come as they are read.
    pub(crate) fn blob(&self, digest: &Digest, offset: u64, size: u64) -> Blob {
        let (sender, pieces) = mpsc::channel(DEPTH);
        let wanted = blob::Wanted { digest: digest.clone(), offset, size };
        self.submit(Box::new(move |reached| {
            Box::pin(async move {
                match reached {
                    Ok(remote) => blob::stream(&remote, &wanted, &sender).await,
                    // A reader that has gone needs no error.
                    Err(error) => drop(sender.send(Err(error)).await),
                }
            })
        }));
        Blob { pieces }
    }

    /// Notes that what came as a blob is something else; tells whether there is another place to get it from. Blocks.
    pub(crate) fn distrust(&self, blob: &Digest) -> bool {
        let blob = blob.clone();
        self.ask(|remote| async move { Ok(remote.distrust(&blob)) }).unwrap_or(false)
    }

    fn ask<T: Send + 'static, F: Future<Output = Result<T, RegistryError>>>(
        &self,
        work: impl FnOnce(Rc<Remote>) -> F + Send + 'static,
    ) -> Result<T, RegistryError> {
        let (reply, answer) = oneshot::channel();
        self.submit(Box::new(move |reached| {
            Box::pin(async move {
                let result = match reached {
                    Ok(remote) => work(remote).await,
                    Err(error) => Err(error),
                };
                // A caller that has gone needs no answer.
                let _ = reply.send(result);
            })
        }));
        answer.blocking_recv().unwrap_or_else(|_| Err(ended()))
    }

    fn submit(&self, job: Job) {
        // A thread that has ended shows by the reply that never comes.
        let _ = self.jobs.send(job);
    }
}

impl Blob {
    /// Returns the next bytes, `None` when all have come. Blocks.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, RegistryError> {
        self.pieces.blocking_recv().transpose()
    }
}

async fn serve(reach: impl Fn() -> Reached, mut jobs: mpsc::UnboundedReceiver<Job>) {
    while let Some(job) = jobs.recv().await {
        spawn_local(job(reach()));
    }
}

/// Passes notices on until nobody can tell any more.
fn pass_on(told: &Receiver<Notice>, progress: &dyn Progress) {
    for notice in told {
        match &notice {
            Notice::Retry(attempt, pause) => {
                progress.report(Event::Retry { host: &attempt.host, cause: &attempt.cause, pause: *pause });
            }
            Notice::Warning(text) => progress.report(Event::Warning { text }),
            Notice::Sent { blob, done, total } => {
                progress.report(Event::LayerUpload { layer: blob, done: *done, total: *total });
            }
        }
    }
}

fn ended() -> RegistryError {
    RegistryError::Setup("the registry thread has ended".to_owned())
}
