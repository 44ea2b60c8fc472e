//! Standard streams.

use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::stat::{SFlag, fstat};
use nix::unistd::{Uid, dup2_stderr, dup2_stdin, dup2_stdout, fchown};

use super::error::{Act, InitError};
use crate::launch::Stdio;

/// Puts the standard streams at 0, 1 and 2. A terminal is connected elsewhere.
pub(super) fn connect(stdio: &Stdio, uid: Uid) -> Result<(), InitError> {
    let Stdio::Fds { stdin, stdout, stderr } = stdio else { return Ok(()) };
    // Copies above 2 first: one of the three may stand where another is to be put.
    let copy = |stream: &std::os::fd::OwnedFd| stream.try_clone().act("copy a standard stream");
    let (stdin, stdout, stderr) = (copy(stdin)?, copy(stdout)?, copy(stderr)?);
    for stream in [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()] {
        hand_over(stream, uid)?;
    }
    replace(stdin.as_fd(), stdout.as_fd(), stderr.as_fd())
}

/// Puts three descriptors at 0, 1 and 2.
pub(super) fn replace(stdin: BorrowedFd<'_>, stdout: BorrowedFd<'_>, stderr: BorrowedFd<'_>) -> Result<(), InitError> {
    dup2_stdin(stdin).act("connect standard input")?;
    dup2_stdout(stdout).act("connect standard output")?;
    dup2_stderr(stderr).act("connect standard error")
}

/// Gives a pipe of ours to the container's user, who may open it again as `/dev/stdout`.
///
/// Pipes of root only: what the caller was given by somebody else (a file, `/dev/null`, a terminal, a
/// user's pipe) keeps its owner.
fn hand_over(stream: BorrowedFd<'_>, uid: Uid) -> Result<(), InitError> {
    let stat = fstat(stream).act("look at a standard stream")?;
    let is_pipe = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFIFO;
    if is_pipe && stat.st_uid == 0 && !uid.is_root() {
        fchown(stream, Some(uid), None).act("give a pipe to the container's user")?;
    }
    Ok(())
}
