//! What a command and a monitor say to each other when it starts.
//!
//! The record goes to the [`spawner`] in one message; with it go copies of the pipe for the reply and, if need be, of the attached
//! client's socket, of the file in which steps are recorded, and of the container's lock (held until the start is over, even
//! if the command that took it is killed). The same way leads to a process that runs commands in a container.

use std::fs::File;
use std::io::{self, BufReader};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use lighter_netns as netns;
use lighter_runtime::sealed::SealError;
use lighter_runtime::trace::{self, Effect};
use nix::fcntl::OFlag;
use serde::{Deserialize, Serialize};

use crate::hooks::Turn;
use crate::spec::Hook;
use crate::{Lock, Runtimes, spawner};

/// First argument that makes this binary a monitor.
pub const MONITOR_VERB: &str = "__monitor";

/// What a monitor is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LaunchRecord {
    pub(crate) root: PathBuf,
    pub(crate) run: PathBuf,
    pub(crate) network: netns::Settings,
    pub(crate) runtimes: Runtimes,
    pub(crate) id: String,
    pub(crate) task: Task,
    pub(crate) attached: bool,
    /// Rows and columns of its terminal.
    pub(crate) terminal: Option<(u16, u16)>,
    /// Its steps belong into the record that the command keeps.
    pub(crate) traced: bool,
    /// The commands of [`Task::Commands`].
    #[serde(default)]
    pub(crate) commands: Vec<Hook>,
    /// What the reply is to tell beside.
    #[serde(default)]
    pub(crate) warnings: Vec<String>,
}

/// Why the monitor is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Task {
    /// Start the container.
    Start,
    /// Start a container again that has ended after its monitor had died.
    Restart,
    /// Look after a container whose monitor has died.
    Adopt,
    /// Run commands in the container, which runs, and end.
    Commands(Turn),
}

/// How the start went: one reply, or [`Reply::Begun`] and another one.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reply {
    /// The container runs, and its post_start hooks do.
    Begun,
    /// The container runs (and these limits could not be applied in full).
    Started { warnings: Vec<String> },
    /// It does not, and everything has been undone; or it runs, and a command of it has failed.
    Failed {
        exit_code: i32,
        message: String,
        /// The port of the host that could not be published, if that is why.
        port: Option<u16>,
    },
}

/// Why no monitor could be started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// No sealed copy of this binary.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The kernel refused.
    #[error("start the monitor process")]
    Spawn(#[source] io::Error),
    /// It died without a word.
    #[error("the monitor process ended before it replied")]
    NoReply(#[source] serde_json::Error),
}

/// Starts a monitor and waits for its reply; the lock is kept no longer than until the container runs.
pub(crate) fn monitor(
    record: &LaunchRecord,
    attach: Option<UnixStream>,
    lock: Option<Lock>,
) -> Result<Reply, SpawnError> {
    let (reply_read, reply_write) = pipe()?;
    start(record, &reply_write, attach.as_ref(), lock.as_ref())?;
    drop((reply_write, attach));
    reply_from(reply_read, || drop(lock))
}

/// Starts the process for a task; it answers on `reply`.
pub(crate) fn start(
    record: &LaunchRecord,
    reply: &OwnedFd,
    attach: Option<&UnixStream>,
    lock: Option<&Lock>,
) -> Result<(), SpawnError> {
    let message = serde_json::to_vec(record).expect("the record has no failing serialiser");
    let handed: Vec<BorrowedFd<'_>> = [reply.as_fd()]
        .into_iter()
        .chain(attach.map(AsFd::as_fd))
        .chain(trace::file().filter(|_| record.traced))
        .chain(lock.map(Lock::as_fd))
        .collect();
    let effect = || Effect::Spawn { program: "lighter".to_owned(), args: vec![MONITOR_VERB.to_owned()] };
    trace::step(effect, || spawner::ask(&message, &handed))
}

/// Starts the process for a task; what is returned has its reply, sooner or later.
pub(crate) fn start_unheard(record: &LaunchRecord) -> Result<OwnedFd, SpawnError> {
    let (reply_read, reply_write) = pipe()?;
    start(record, &reply_write, None, None)?;
    Ok(reply_read)
}

/// Reads the last reply; calls `begun` if there is one before it.
pub(crate) fn reply_from(pipe: OwnedFd, begun: impl FnOnce()) -> Result<Reply, SpawnError> {
    let mut replies = serde_json::Deserializer::from_reader(BufReader::new(File::from(pipe))).into_iter();
    let mut next = || replies.next().unwrap_or_else(|| serde_json::from_slice(b"")).map_err(SpawnError::NoReply);
    match next()? {
        Reply::Begun => {
            begun();
            next()
        }
        reply => Ok(reply),
    }
}

fn pipe() -> Result<(OwnedFd, OwnedFd), SpawnError> {
    nix::unistd::pipe2(OFlag::O_CLOEXEC).map_err(refused)
}

pub(crate) fn refused(errno: nix::Error) -> SpawnError {
    SpawnError::Spawn(errno.into())
}
