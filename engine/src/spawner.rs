//! The spawner: this binary once more, from a sealed copy and with nothing of the caller's, which forks a monitor for each request
//! of its command.
//!
//! Executing a program makes a hundred of its pages a process's own, those with relocated addresses. Monitors that one command
//! has asked for share them, and a fork costs a quarter of what executing costs. The spawner has one thread, opens nothing of a
//! container, and ends with its command, or when that has asked for nothing for a second: who only waits keeps no second process.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError};

use lighter_runtime::{sealed, socket};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, poll};
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, posix_spawn};
use nix::sys::socket::{Shutdown, shutdown};
use nix::sys::stat::Mode;
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use crate::spawn::{LaunchRecord, MONITOR_VERB, SpawnError, refused};
use crate::sys;

/// The socket on which requests come.
const SOCKET_FD: i32 = 3;
/// How long the spawner waits for the next request, in milliseconds.
const PATIENCE: u16 = 1000;
/// How many spawners are tried for one request.
const TRIES: usize = 5;

/// The spawner of this process, if it has one.
static SPAWNER: Mutex<Option<Spawner>> = Mutex::new(None);

/// A spawner, seen from its command.
struct Spawner {
    /// Our end of the socket.
    socket: OwnedFd,
    /// Its first process, which ends as soon as it has forked the one that stays.
    first: Option<Pid>,
}

/// Starts the spawner before it is needed: it comes up while the command makes what is to be started.
///
/// A failure is told by who asks for a monitor.
pub(crate) fn prepare() {
    let mut spawner = SPAWNER.lock().unwrap_or_else(PoisonError::into_inner);
    if spawner.is_none() {
        *spawner = start().ok();
    }
}

/// Has a monitor forked that gets `message` and copies of `descriptors`.
pub(crate) fn ask(message: &[u8], descriptors: &[BorrowedFd<'_>]) -> Result<(), SpawnError> {
    let mut spawner = SPAWNER.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..TRIES {
        let mut asked = match spawner.take() {
            Some(started) => started,
            None => start()?,
        };
        let sent = socket::send_all(asked.socket.as_fd(), message, descriptors);
        asked.first.take().map(reap).transpose().map_err(refused)?;
        match sent {
            // it has waited in vain, as even a new one does where nothing runs for a second, or was killed
            Err(Errno::EPIPE | Errno::ECONNRESET) => {}
            sent => {
                *spawner = Some(asked);
                return sent.map_err(refused);
            }
        }
    }
    Err(refused(Errno::EPIPE))
}

fn start() -> Result<Spawner, SpawnError> {
    let (socket, theirs) = socket::pair().map_err(refused)?;
    // high numbers, so that none below overwrites one that is still to be copied
    let lift = |fd: OwnedFd| sys::duplicate_above(fd.as_raw_fd(), 64).map_err(SpawnError::Spawn);
    let (program, theirs) = (lift(sealed::open()?)?, lift(theirs)?);
    let mut actions = PosixSpawnFileActions::init().map_err(refused)?;
    for fd in 0..SOCKET_FD {
        actions.add_open(fd, "/dev/null", OFlag::O_RDWR, Mode::empty()).map_err(refused)?;
    }
    actions.add_dup2(theirs.as_raw_fd(), SOCKET_FD).map_err(refused)?;
    let path = CString::new(format!("/proc/self/fd/{}", program.as_raw_fd())).expect("digits hold no NUL");
    let argv = [c"lighter".to_owned(), CString::new(MONITOR_VERB).expect("the verb holds no NUL")];
    let attributes = PosixSpawnAttr::init().map_err(refused)?;
    let environment: [CString; 0] = [];
    let pid = posix_spawn(path.as_c_str(), &actions, &attributes, &argv, &environment).map_err(refused)?;
    // it forks at once and its first process ends, so that the spawner is init's child, never our zombie
    Ok(Spawner { socket, first: Some(pid) })
}

/// What a monitor begins with.
pub(crate) struct Request {
    pub(crate) record: LaunchRecord,
    pub(crate) reply: OwnedFd,
    pub(crate) lock: Option<OwnedFd>,
    pub(crate) attached: Option<UnixStream>,
    /// The file in which its steps are recorded.
    pub(crate) traced: Option<OwnedFd>,
}

/// Is the spawner. Returns in each process that it has forked, with the request; in the spawner itself with `None`, at its end.
///
/// # Errors
/// Of the process in which it happens: the command whose request it was sees no reply.
pub(crate) fn serve() -> io::Result<Option<Request>> {
    sys::close_from(SOCKET_FD + 1)?;
    let socket = sys::inherited(SOCKET_FD)?;
    sys::detach_from_parent()?;
    nix::sys::prctl::set_name(c"lighter")?; // the kernel calls it by the number of its descriptor
    std::env::set_current_dir("/")?;
    nix::sys::stat::umask(Mode::from_bits_truncate(0o022));
    // a container's memory limit is not ours, and we are the last to be killed; the launch resets it for the child
    let _ = std::fs::write("/proc/self/oom_score_adj", "-999");
    sys::let_kernel_reap(true)?; // a monitor that ends before its command is nobody's business
    while let Some(request) = next(&socket)? {
        // no fork, no reply: the command says that the monitor is gone
        if let Ok(None) = sys::fork() {
            drop(socket);
            sys::let_kernel_reap(false)?;
            nix::unistd::setsid()?;
            return Ok(Some(request));
        }
    }
    Ok(None)
}

/// Waits for a request; `None` when there will be none.
fn next(socket: &OwnedFd) -> io::Result<Option<Request>> {
    let waited = poll(&mut [PollFd::new(socket.as_fd(), PollFlags::POLLIN)], PATIENCE);
    if waited == Ok(0) {
        shutdown(socket.as_raw_fd(), Shutdown::Read)?; // whoever asks from now on starts another; what has come is served
    }
    let mut message = vec![0; socket::next_length(socket.as_fd())?];
    if message.is_empty() {
        return Ok(None);
    }
    let (_, descriptors) = socket::receive_all(socket.as_fd(), &mut message)?;
    let record: LaunchRecord = serde_json::from_slice(&message)?;
    let mut descriptors = descriptors.into_iter();
    let mut handed = || descriptors.next().ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof));
    let reply = handed()?;
    let attached = record.attached.then(&mut handed).transpose()?.map(UnixStream::from);
    let traced = record.traced.then(&mut handed).transpose()?;
    let lock = descriptors.next();
    Ok(Some(Request { record, reply, lock, attached, traced }))
}

fn reap(child: Pid) -> nix::Result<()> {
    loop {
        match waitpid(child, None) {
            Err(Errno::EINTR) => {}
            Err(Errno::ECHILD) | Ok(_) => return Ok(()), // ECHILD: our parent made us ignore SIGCHLD
            Err(errno) => return Err(errno),
        }
    }
}
