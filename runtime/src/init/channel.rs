//! The channel between the creator (a monitor, or a command) and init: reports come up, permissions go down.
//!
//! ```text
//! creator                        init
//!    ◀──── Reached a stage ──────         only where the creator has a part to do: systemd's cgroup, hooks
//!    ───── go ──────────────────▶
//!    ◀──── Ready or Failed ──────         (with the master side of the terminal, if there is one)
//!    ───── go ──────────────────▶
//!    ◀──── Failed, or end ───────         the end: execve(2) closed the channel, the program runs
//! ```
//!
//! A container that is created by one command and started by another has a second channel for the last two
//! lines: init leaves its creator's at the second `go` and takes the next that connects to its start socket.
//! A `go` carries the container's state, which hooks that init runs read.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::sockopt::ReceiveTimeout;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, setsockopt, socket, socketpair};
use nix::sys::time::TimeVal;
use serde::{Deserialize, Serialize};

use crate::sys;

/// Longest message: what a socket takes by default (`net.core.wmem_default`). Texts are cut before they are sent.
const MESSAGE_BYTES: usize = 208 * 1024;
/// Longest act or warning in a message.
const TEXT_BYTES: usize = 4 * 1024;
/// Most warnings in a message.
const WARNINGS: usize = 8;

/// What init says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Report {
    /// The caller has a part to do before init goes on.
    Reached(Stage),
    /// All is set up.
    Ready {
        /// What the user should know.
        warnings: Vec<String>,
    },
    /// Something failed; init ends.
    Failed(Failure),
}

/// Where init waits for its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stage {
    /// Nothing is done; the cgroup is to be made around init.
    Born,
    /// The mounts are made; the hooks that run before the pivot are due.
    Mounted,
}

/// What failed.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    /// Which exit code it means.
    pub(crate) kind: FailureKind,
    /// The step of init.
    pub(crate) step: String,
    /// The act and its object.
    pub(crate) act: String,
    /// The cause, when the kernel gave one.
    pub(crate) errno: Option<i32>,
}

/// Kinds of failure, by what a shell would say of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum FailureKind {
    /// The container could not be set up: 125.
    Setup,
    /// Its program was found and cannot be invoked: 126.
    NotInvocable,
    /// Its program was not found: 127.
    NotFound,
}

/// One end of the channel; closed by execve(2).
#[derive(Debug)]
pub(crate) struct Channel(OwnedFd);

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Channel {
    /// Makes the two ends: one for the monitor, one for init.
    pub(crate) fn pair() -> io::Result<(Self, Self)> {
        let (family, kind) = (AddressFamily::Unix, SockType::SeqPacket);
        let (above, below) = socketpair(family, kind, None, SockFlag::SOCK_CLOEXEC)?;
        Ok((Self(above), Self(below)))
    }

    /// Connects to the start socket of an init.
    pub(crate) fn connect(path: &Path) -> io::Result<Self> {
        let socket = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None)?;
        connect(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
        Ok(Self(socket))
    }

    /// Waits at a start socket for the next that connects.
    pub(super) fn accept(socket: BorrowedFd<'_>) -> io::Result<Self> {
        loop {
            match sys::socket::accept(socket) {
                Ok(connected) => return Ok(Self(connected)),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Sends a report, with the master side of a terminal.
    pub(super) fn send(&self, report: &Report, terminal: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let message = serde_json::to_vec(report)?;
        Ok(sys::socket::send(self.0.as_fd(), &message, terminal)?)
    }

    /// Waits for a report; `None` when the other end was closed.
    pub(crate) fn receive(&self) -> io::Result<Option<(Report, Option<OwnedFd>)>> {
        loop {
            return match self.next() {
                Ok((message, _)) if message.is_empty() => Ok(None),
                Err(Errno::ECONNRESET) => Ok(None),
                Ok((message, terminal)) => Ok(Some((serde_json::from_slice(&message)?, terminal))),
                Err(Errno::EINTR) => continue,
                Err(Errno::EAGAIN) => Err(not_in_time()),
                Err(errno) => Err(errno.into()),
            };
        }
    }

    /// Waits for the next message; it is no longer than a page most of the time.
    fn next(&self) -> nix::Result<(Vec<u8>, Option<OwnedFd>)> {
        let length = sys::socket::next_length(self.0.as_fd())?;
        let mut message = vec![0; length.clamp(1, MESSAGE_BYTES)];
        let (length, descriptor) = sys::socket::receive(self.0.as_fd(), &mut message)?;
        message.truncate(length);
        Ok((message, descriptor))
    }

    /// Has every wait for a report end after so long, with [`io::ErrorKind::TimedOut`].
    pub(crate) fn limit_waits(&self, patience: Duration) -> io::Result<()> {
        limit_waits(&self.0, patience)
    }

    /// Lets init go on; `state` is the container's, for hooks: not empty, an empty message would be the end.
    pub(crate) fn go(&self, state: &[u8]) -> io::Result<()> {
        Ok(sys::socket::send(self.0.as_fd(), state, None)?)
    }

    /// Waits until init may go on; `None` when the other end is gone.
    pub(super) fn wait(&self) -> Option<Vec<u8>> {
        loop {
            match self.next() {
                Ok((message, _)) => return (!message.is_empty()).then_some(message),
                Err(Errno::EINTR) => {}
                Err(_) => return None,
            }
        }
    }
}

/// Has every wait at a socket end after so long, with EAGAIN (socket(7), SO_RCVTIMEO).
pub(crate) fn limit_waits(socket: &OwnedFd, patience: Duration) -> io::Result<()> {
    // Nothing at all would be no limit.
    let patience = TimeVal::new(patience.as_secs().cast_signed(), patience.subsec_micros().max(1).into());
    Ok(setsockopt(socket, ReceiveTimeout, &patience)?)
}

/// Says that a process has not reported within the time it had.
pub(crate) fn not_in_time() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "it is not ready in time")
}

impl Report {
    /// A report that fits into a message, whatever the texts are.
    pub(super) fn ready(mut warnings: Vec<String>) -> Self {
        warnings.truncate(WARNINGS);
        Self::Ready { warnings: warnings.iter().map(|warning| cut(warning)).collect() }
    }

    /// A report that fits into a message, whatever the texts are.
    pub(super) fn failed(failure: Failure) -> Self {
        Self::Failed(Failure { act: cut(&failure.act), ..failure })
    }
}

fn cut(text: &str) -> String {
    let end = text.char_indices().map(|(at, _)| at).take_while(|at| *at < TEXT_BYTES).last().unwrap_or(0);
    if text.len() <= TEXT_BYTES { text.to_owned() } else { format!("{}…", &text[..end]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_arrives_whole_and_the_end_is_seen() {
        let (above, below) = Channel::pair().unwrap();
        let failure = Failure {
            kind: FailureKind::Setup,
            step: "mounts".into(),
            act: "x".repeat(100_000),
            errno: Some(Errno::EINVAL as i32),
        };
        below.send(&Report::failed(failure), None).unwrap();
        match above.receive().unwrap() {
            Some((Report::Failed(failure), None)) => {
                assert_eq!(failure.errno, Some(22));
                assert!(failure.act.len() < 5_000);
            }
            other => panic!("{other:?}"),
        }
        drop(below);
        assert!(above.receive().unwrap().is_none());
    }

    #[test]
    fn a_descriptor_comes_along() {
        let (above, below) = Channel::pair().unwrap();
        let file = tempfile::tempfile().unwrap();
        below.send(&Report::ready(vec!["careful".into()]), Some(file.as_fd())).unwrap();
        let (report, terminal) = above.receive().unwrap().unwrap();
        assert_eq!(report, Report::Ready { warnings: vec!["careful".into()] });
        assert!(terminal.is_some());
    }

    #[test]
    fn who_waits_with_patience_waits_no_longer() {
        let (above, _below) = Channel::pair().unwrap();
        above.limit_waits(Duration::ZERO).unwrap();
        assert_eq!(above.receive().unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn init_goes_on_when_told_and_only_then() {
        let (above, below) = Channel::pair().unwrap();
        above.go(b"{}").unwrap();
        assert_eq!(below.wait().as_deref(), Some(b"{}".as_slice()));
        drop(above);
        assert_eq!(below.wait(), None);
    }
}
