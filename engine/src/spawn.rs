//! Starting a monitor process: this binary once more, from a sealed copy, with nothing of the caller's.
//!
//! One record goes in on fd 3, one reply comes out on fd 4; an attached client rides on fd 5, on fd 6 the file in which
//! steps are recorded, and on fd 7 the container's lock.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use lighter_netns as netns;
use lighter_runtime::sealed::{self, SealError};
use lighter_runtime::trace::{self, Effect};
use nix::fcntl::OFlag;
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, posix_spawn};
use nix::sys::stat::Mode;
use serde::{Deserialize, Serialize};

use crate::Lock;

/// First argument that makes this binary a monitor.
pub const MONITOR_VERB: &str = "__monitor";

/// Descriptor of the launch record.
pub(crate) const RECORD_FD: i32 = 3;
/// Descriptor of the reply.
pub(crate) const REPLY_FD: i32 = 4;
/// Descriptor of the first attached client.
pub(crate) const ATTACH_FD: i32 = 5;

/// Descriptor of the file that steps are recorded in.
pub(crate) const TRACE_FD: i32 = 6;
/// Descriptor of the container's lock: it is held until the start is over, even if the command that took it is killed.
pub(crate) const LOCK_FD: i32 = 7;

/// What a monitor is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LaunchRecord {
    pub(crate) root: PathBuf,
    pub(crate) run: PathBuf,
    pub(crate) network: netns::Settings,
    pub(crate) id: String,
    pub(crate) task: Task,
    pub(crate) attached: bool,
    /// Rows and columns of its terminal.
    pub(crate) terminal: Option<(u16, u16)>,
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
    let program = sealed::open()?;
    let (record_read, record_write) = pipe()?;
    let (reply_read, reply_write) = pipe()?;
    let effect = || Effect::Spawn { program: "lighter".to_owned(), args: vec![MONITOR_VERB.to_owned()] };
    trace::step(effect, || {
        spawn(&program, Handed { record: &record_read, reply: &reply_write, attach: attach.as_ref(), lock })
    })?;
    drop((record_read, reply_write, attach));
    let text = serde_json::to_vec(record).expect("the record has no failing serialiser");
    File::from(record_write).write_all(&text).map_err(SpawnError::Spawn)?;
    let mut reply = Vec::new();
    File::from(reply_read).read_to_end(&mut reply).map_err(SpawnError::Spawn)?;
    serde_json::from_slice(&reply).map_err(SpawnError::NoReply)
}

/// What a monitor is given.
struct Handed<'a> {
    record: &'a OwnedFd,
    reply: &'a OwnedFd,
    attach: Option<&'a UnixStream>,
    lock: &'a Lock,
}

fn spawn(program: &OwnedFd, handed: Handed<'_>) -> Result<(), SpawnError> {
    let error = |errno: nix::Error| SpawnError::Spawn(errno.into());
    // high numbers first, so that no dup2 below overwrites one that is still to be copied
    let lift = |fd: &dyn AsRawFd| lift(fd.as_raw_fd());
    let (record, reply, lock) = (lift(handed.record)?, lift(handed.reply)?, lift(&handed.lock.as_fd())?);
    let attach = handed.attach.map(|fd| lift(fd)).transpose()?;
    let trace = trace::file().map(|fd| lift(&fd)).transpose()?;
    let mut actions = PosixSpawnFileActions::init().map_err(error)?;
    for fd in 0..3 {
        actions.add_open(fd, "/dev/null", OFlag::O_RDWR, Mode::empty()).map_err(error)?;
    }
    actions.add_dup2(record.as_raw_fd(), RECORD_FD).map_err(error)?;
    actions.add_dup2(reply.as_raw_fd(), REPLY_FD).map_err(error)?;
    actions.add_dup2(lock.as_raw_fd(), LOCK_FD).map_err(error)?;
    if let Some(attach) = &attach {
        actions.add_dup2(attach.as_raw_fd(), ATTACH_FD).map_err(error)?;
    }
    if let Some(trace) = &trace {
        actions.add_dup2(trace.as_raw_fd(), TRACE_FD).map_err(error)?;
    }
    let program = lift(program)?;
    let path = CString::new(format!("/proc/self/fd/{}", program.as_raw_fd())).expect("digits hold no NUL");
    let argv = [c"lighter".to_owned(), CString::new(MONITOR_VERB).expect("the verb holds no NUL")];
    let attributes = PosixSpawnAttr::init().map_err(error)?;
    let environment: [CString; 0] = [];
    let pid = posix_spawn(path.as_c_str(), &actions, &attributes, &argv, &environment).map_err(error)?;
    // it forks at once and its first process ends, so that the monitor is init's child, never our zombie
    loop {
        match nix::sys::wait::waitpid(pid, None) {
            Err(nix::Error::EINTR) => {}
            Err(nix::Error::ECHILD) | Ok(_) => return Ok(()), // ECHILD: our parent made us ignore SIGCHLD
            Err(errno) => return Err(error(errno)),
        }
    }
}

fn lift(fd: i32) -> Result<OwnedFd, SpawnError> {
    crate::sys::duplicate_above(fd, 64).map_err(SpawnError::Spawn)
}

fn pipe() -> Result<(OwnedFd, OwnedFd), SpawnError> {
    nix::unistd::pipe2(OFlag::O_CLOEXEC).map_err(|errno| SpawnError::Spawn(errno.into()))
}
