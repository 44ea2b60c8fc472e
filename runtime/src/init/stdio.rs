//! Standard streams.

use std::os::fd::{AsFd, BorrowedFd};

use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, SFlag, fstat, makedev};
use nix::unistd::{Uid, dup2_stderr, dup2_stdin, dup2_stdout, fchown};

use super::error::{Act, InitError};
use crate::launch::Stdio;

/// Puts the standard streams at 0, 1 and 2. A terminal is connected elsewhere.
pub(super) fn connect(stdio: &Stdio, uid: Uid) -> Result<(), InitError> {
    let Stdio::Fds { stdin, stdout, stderr } = stdio else {
        for stream in [std::io::stdin().as_fd(), std::io::stdout().as_fd(), std::io::stderr().as_fd()] {
            hand_over(stream, uid)?;
        }
        return reopen_null();
    };
    // Copies above 2 first: one of the three may stand where another is to be put.
    let copy = |stream: &std::os::fd::OwnedFd| stream.try_clone().act("copy a standard stream");
    let (stdin, stdout, stderr) = (copy(stdin)?, copy(stdout)?, copy(stderr)?);
    for stream in [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()] {
        hand_over(stream, uid)?;
    }
    replace(stdin.as_fd(), stdout.as_fd(), stderr.as_fd())?;
    reopen_null()
}

/// Puts the container's own null device in the place of the host's: what is open in a mount of the host cannot be
/// saved by a checkpoint, and could not be found again by a restore.
fn reopen_null() -> Result<(), InitError> {
    let is_null = |file: BorrowedFd<'_>| {
        let stat = fstat(file);
        stat.is_ok_and(|stat| {
            SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFCHR && stat.st_rdev == makedev(1, 3)
        })
    };
    let flags = OFlag::O_RDWR | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    // An image or a volume may have no such device there, or another one: then the host's is kept.
    let Some(null) = open("/dev/null", flags, Mode::empty()).ok().filter(|null| is_null(null.as_fd())) else {
        return Ok(());
    };
    if is_null(std::io::stdin().as_fd()) {
        dup2_stdin(&null).act("connect standard input")?;
    }
    if is_null(std::io::stdout().as_fd()) {
        dup2_stdout(&null).act("connect standard output")?;
    }
    if is_null(std::io::stderr().as_fd()) {
        dup2_stderr(&null).act("connect standard error")?;
    }
    Ok(())
}

/// Puts three descriptors at 0, 1 and 2.
pub(super) fn replace(stdin: BorrowedFd<'_>, stdout: BorrowedFd<'_>, stderr: BorrowedFd<'_>) -> Result<(), InitError> {
    dup2_stdin(stdin).act("connect standard input")?;
    dup2_stdout(stdout).act("connect standard output")?;
    dup2_stderr(stderr).act("connect standard error")
}

/// Gives a pipe to the container's user, who may open it again as `/dev/stdout`: servers do so for their logs.
///
/// Pipes of root only: what the caller was given by somebody else (a file, `/dev/null`, a terminal, a
/// user's pipe) keeps its owner.
fn hand_over(stream: BorrowedFd<'_>, uid: Uid) -> Result<(), InitError> {
    // A caller may leave a stream closed.
    let Ok(stat) = fstat(stream) else { return Ok(()) };
    let is_pipe = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFIFO;
    if is_pipe && stat.st_uid == 0 && !uid.is_root() {
        fchown(stream, Some(uid), None).act("give a pipe to the container's user")?;
    }
    Ok(())
}
