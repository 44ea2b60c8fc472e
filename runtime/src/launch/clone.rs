//! The clone of a process that sets itself up, reports, waits, and becomes a container's program.
//!
//! Runs in the monitor, or the command that execs; what is handed to [`clone`] runs in the child.

use std::convert::Infallible;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use super::passage::{Crossing, clone_across};
use super::{LaunchError, Passage, PidNamespace};
use crate::cgroup::Attachment;
use crate::init::{Channel, Failure, Report, Stage, Trees};
use crate::process::{self, Exit};
use crate::sys;
use crate::sys::process::Child;
use crate::trace::{self, Effect};

/// Where a child is born.
pub(crate) struct Birth<'a> {
    /// `CLONE_NEW*` flags of namespaces to make.
    pub(crate) namespaces: u64,
    /// A pid namespace to be born into: its file, or a pidfd of a process in it.
    pub(crate) pid_namespace: Option<&'a OwnedFd>,
    /// The cgroup.
    pub(crate) attachment: &'a Attachment,
}

/// Clones a child that runs `body` with its end of a channel, whose other end is returned.
pub(crate) fn clone(
    birth: &Birth<'_>,
    body: impl FnOnce(Channel) -> Infallible,
) -> Result<(Child, Channel), LaunchError> {
    with_channel(|above, below| {
        let pid_namespace = birth.pid_namespace.map(PidNamespace::enter).transpose()?;
        let cgroup = birth.attachment.unified();
        let spawn = || {
            sys::process::spawn(birth.namespaces, cgroup, || {
                above.take();
                body(below)
            })
        };
        let child = trace::step(|| Effect::clone_process(birth.namespaces, cgroup), spawn);
        drop(pid_namespace);
        child.map_err(LaunchError::from_clone)
    })
}

/// Clones a child by way of a process between, whose `prepare` makes the mounts that `body` finds ready.
pub(super) fn clone_through(
    passage: &Passage<'_>,
    attachment: &Attachment,
    prepare: impl FnOnce() -> Result<Trees, Failure>,
    body: impl FnOnce(Channel, &Trees) -> Infallible,
) -> Result<(Child, Channel), LaunchError> {
    with_channel(|above, below| {
        passage.clone(attachment.unified(), prepare, |trees| {
            above.take();
            body(below, trees)
        })
    })
}

/// Clones a child by way of a process between, which is born in the cgroup and does what nobody in the container may see:
/// `cross` is given what it must leave open, and what it returns goes to `body`, with the child's pid for us. The process
/// between has as long as `patience` says.
pub(crate) fn clone_beyond<T>(
    (attachment, patience): (&Attachment, Option<Duration>),
    cross: impl FnOnce(&[BorrowedFd<'_>]) -> Result<T, Failure>,
    body: impl FnOnce(Channel, T, i32) -> Infallible,
) -> Result<(Child, Channel), LaunchError> {
    with_channel(|above, below| {
        let cross = |socket: BorrowedFd<'_>| {
            above.take();
            let crossed = cross(&[socket, below.as_fd()])?;
            Ok((below, crossed))
        };
        let crossing = Crossing { first: attachment.unified(), patience, namespaces: 0, second: None };
        clone_across(&crossing, cross, |(below, crossed), pid| body(below, crossed, pid))
    })
}

/// Makes a channel for the child that `clone` makes: it is given our end, for the child to close, as the child has to see
/// when we are gone, and the child's.
fn with_channel(
    clone: impl FnOnce(&mut Option<Channel>, Channel) -> Result<Child, LaunchError>,
) -> Result<(Child, Channel), LaunchError> {
    let (above, below) = Channel::pair().map_err(LaunchError::clone)?;
    let mut above = Some(above);
    let child = clone(&mut above, below)?;
    let above = above.expect("only the child, on its copy of our memory, takes our end away");
    Ok((child, above))
}

/// Waits for the child's report; reaps the child when it is bad news.
///
/// `attend` does what is the caller's part when the child has come to a stage; it returns the container's state.
pub(crate) fn wait_until_ready(
    child: &Child,
    channel: &Channel,
    mut attend: impl FnMut(Stage) -> Result<Vec<u8>, LaunchError>,
) -> Result<(Option<OwnedFd>, Vec<String>), LaunchError> {
    let error = loop {
        break match channel.receive() {
            Ok(Some((Report::Ready { warnings }, terminal))) => return Ok((terminal, warnings)),
            Ok(Some((Report::Reached(stage), _))) => match attend(stage) {
                Ok(state) => match channel.go(&state) {
                    Ok(()) => continue,
                    Err(source) => LaunchError::Channel { source },
                },
                Err(error) => error,
            },
            Ok(Some((Report::Failed(failure), _))) => LaunchError::from_failure(failure),
            Ok(None) => return Err(LaunchError::Died { exit: end(child) }),
            Err(source) => LaunchError::Channel { source },
        };
    };
    end(child);
    Err(error)
}

/// Lets the child go on, and waits until it has become the program. `state` is the container's, for hooks.
pub(crate) fn release(channel: &Channel, state: &[u8]) -> Result<(), LaunchError> {
    let failed = |source| LaunchError::Channel { source };
    channel.go(state).map_err(failed)?;
    match channel.receive().map_err(failed)? {
        // The execve closed the other end: the program runs, or was killed on the way, which its exit
        // status will tell.
        None => Ok(()),
        Some((Report::Failed(failure), _)) => Err(LaunchError::from_failure(failure)),
        Some((Report::Ready { .. } | Report::Reached(_), _)) => Err(failed(std::io::ErrorKind::InvalidData.into())),
    }
}

/// Makes sure that a child is gone, and tells how it ended.
pub(crate) fn end(child: &Child) -> Exit {
    let pidfd = child.pidfd.as_fd();
    let _gone = process::kill(pidfd, libc::SIGKILL);
    process::reap_blocking(pidfd).unwrap_or(Exit::Signal(libc::SIGKILL))
}
