//! What a command and a monitor say to each other when it starts.
//!
//! The record goes to the [`spawner`] in one message; with it go copies of the pipe for the reply, of the container's lock (held
//! until the start is over, even if the command that took it is killed), and, if the record says so, of the attached client's
//! socket and of the file in which steps are recorded.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use lighter_netns as netns;
use lighter_runtime::sealed::SealError;
use lighter_runtime::trace::{self, Effect};
use nix::fcntl::OFlag;
use serde::{Deserialize, Serialize};

use crate::{Lock, spawner};

/// First argument that makes this binary a monitor.
pub const MONITOR_VERB: &str = "__monitor";

/// What a monitor is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LaunchRecord {
    pub(crate) root: PathBuf,
    pub(crate) run: PathBuf,
    pub(crate) network: netns::Settings,
    pub(crate) id: String,
    pub(crate) task: Task,
    pub(crate) attached: bool,
    /// Its steps belong into the record that the command keeps.
    pub(crate) traced: bool,
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
}

/// How the start went.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reply {
    /// The container runs (and these limits could not be applied in full).
    Started { warnings: Vec<String> },
    /// It does not; everything has been undone.
    Failed { exit_code: i32, message: String },
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

/// Starts a monitor and waits for its reply.
pub(crate) fn monitor(record: &LaunchRecord, attach: Option<UnixStream>, lock: &Lock) -> Result<Reply, SpawnError> {
    let (reply_read, reply_write) = nix::unistd::pipe2(OFlag::O_CLOEXEC).map_err(refused)?;
    let message = serde_json::to_vec(record).expect("the record has no failing serialiser");
    let traced = trace::file();
    let handed: Vec<BorrowedFd<'_>> =
        [reply_write.as_fd(), lock.as_fd()].into_iter().chain(attach.as_ref().map(AsFd::as_fd)).chain(traced).collect();
    let effect = || Effect::Spawn { program: "lighter".to_owned(), args: vec![MONITOR_VERB.to_owned()] };
    trace::step(effect, || spawner::ask(&message, &handed))?;
    drop((reply_write, attach));
    let mut reply = Vec::new();
    File::from(reply_read).read_to_end(&mut reply).map_err(SpawnError::Spawn)?;
    serde_json::from_slice(&reply).map_err(SpawnError::NoReply)
}

pub(crate) fn refused(errno: nix::Error) -> SpawnError {
    SpawnError::Spawn(errno.into())
}
