//! A process between the monitor and a container's init, for what the one must not and the other cannot do.
//!
//! ```text
//! monitor ──clone──▶ between: joins namespaces, makes mounts, by the host's privileges;
//!    │                        enters the user namespace; makes a time namespace
//!    │                          │ clone3, CLONE_PARENT
//!    ◀──── pid, pidfd ──────────┤
//!    └────── parent of ───────▶ init: its other new namespaces belong to the user namespace
//! ```
//!
//! The monitor must not change its own namespaces. Init is born into the user namespace, which is what makes its
//! other namespaces its own, and has no privilege outside of it any more.

use std::convert::Infallible;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::sched::{CloneFlags, setns, unshare};

use super::{LaunchError, end};
use crate::init::{Failure, FailureKind, Trees, limit_waits, not_in_time};
use crate::plan::namespace_name;
use crate::process;
use crate::sys;
use crate::sys::namespace::CLONE_NEWTIME;
use crate::sys::process::Child;
use crate::sys::shared::SharedPid;
use crate::trace::{self, Effect};

/// Longest message from the process between.
const MESSAGE_BYTES: usize = 16 * 1024;

/// What the process between does.
#[derive(Debug)]
pub(crate) struct Passage<'a> {
    /// Namespaces to join with the host's privileges: `CLONE_NEW*` flag and file.
    pub(crate) joins: &'a [(i32, OwnedFd)],
    /// A pid namespace for init to be born into.
    pub(crate) pid_namespace: Option<&'a OwnedFd>,
    /// The user namespace to enter.
    pub(crate) users: Option<&'a OwnedFd>,
    /// Make a time namespace, with these offsets (`timens_offsets`).
    pub(crate) time: Option<Option<&'a str>>,
    /// `CLONE_NEW*` flags of namespaces to make.
    pub(crate) namespaces: u64,
}

impl Passage<'_> {
    /// Clones init by way of another process, which is gone when this returns.
    ///
    /// `prepare` runs in the process between, after it has joined namespaces and before it has given up any
    /// privilege; `init` runs in the child.
    pub(super) fn clone(
        &self,
        cgroup: Option<BorrowedFd<'_>>,
        prepare: impl FnOnce() -> Result<Trees, Failure>,
        init: impl FnOnce(&Trees) -> Infallible,
    ) -> Result<Child, LaunchError> {
        let crossing = Crossing { first: None, patience: None, namespaces: self.namespaces, second: cgroup };
        clone_across(&crossing, |_| self.cross(prepare), |trees, _| init(&trees))
    }

    /// Joins and enters, in the order the privileges allow.
    fn cross(&self, prepare: impl FnOnce() -> Result<Trees, Failure>) -> Result<Trees, Failure> {
        for (kind, file) in self.joins {
            join(file, *kind)?;
        }
        // The mount namespace, if there was one, is joined by now: paths are those of the container's mounts.
        let trees = prepare()?;
        if let Some(pids) = self.pid_namespace {
            join(pids, libc::CLONE_NEWPID)?;
        }
        if let Some(users) = self.users {
            join(users, libc::CLONE_NEWUSER)?;
        }
        if let Some(offsets) = self.time {
            trace::step(|| Effect::unshare(CLONE_NEWTIME), || unshare(CloneFlags::from_bits_retain(CLONE_NEWTIME)))
                .map_err(|errno| failure("make a time namespace (`linux.namespaces`)", errno))?;
            if let Some(offsets) = offsets {
                write_offsets(offsets)?;
            }
        }
        Ok(trees)
    }
}

/// Where two processes are born of which the one makes the other.
#[derive(Debug)]
pub(crate) struct Crossing<'a> {
    /// The cgroup of the process between.
    pub(crate) first: Option<BorrowedFd<'a>>,
    /// How long the process between may take: born in a frozen cgroup, it does nothing until that is thawed.
    pub(crate) patience: Option<Duration>,
    /// `CLONE_NEW*` flags of namespaces that the second gets.
    pub(crate) namespaces: u64,
    /// The cgroup of the second.
    pub(crate) second: Option<BorrowedFd<'a>>,
}

/// Clones a process by way of another, which is gone when this returns.
///
/// `cross` runs in the process between, and must leave open what it is given. What it returns goes to `body`, with its pid for
/// us, which runs in the child: our own child too. When this fails, no process is left, whenever the one between was killed.
pub(crate) fn clone_across<T>(
    crossing: &Crossing<'_>,
    cross: impl FnOnce(BorrowedFd<'_>) -> Result<T, Failure>,
    body: impl FnOnce(T, i32) -> Infallible,
) -> Result<Child, LaunchError> {
    let &Crossing { first, patience, namespaces, second } = crossing;
    let (above, below) = sys::socket::pair().map_err(|errno| LaunchError::clone(errno.into()))?;
    if let Some(patience) = patience {
        limit_waits(&above, patience).map_err(LaunchError::clone)?;
    }
    let told = SharedPid::new().map_err(LaunchError::clone)?;
    let mut above = Some(above);
    let mut below = Some(below);
    let clone_between = || {
        sys::process::spawn(0, first, || {
            above.take();
            trace::become_process(trace::Process::Between);
            let born = match &below {
                Some(below) => cross(below.as_fd()),
                None => sys::process::exit_now(1),
            };
            let born = born.and_then(|crossed| {
                let spawn = || {
                    sys::process::spawn_sibling(namespaces, second, &told, || {
                        // Or whoever waits for the process between would not see that it was killed.
                        below.take();
                        body(crossed, told.get().unwrap_or_default())
                    })
                };
                let clone = trace::step(|| Effect::clone_process(namespaces, second), spawn);
                clone.map_err(not_born)
            });
            let (message, pidfd) = match born {
                Ok(Child { pid, pidfd }) => (Ok(pid), Some(pidfd)),
                Err(failure) => (Err(failure), None),
            };
            let message = serde_json::to_vec::<Result<i32, Failure>>(&message).unwrap_or_default();
            if let Some(below) = &below {
                let _gone = sys::socket::send(below.as_fd(), &message, pidfd.as_ref().map(AsFd::as_fd));
            }
            sys::process::exit_now(0)
        })
    };
    let between = trace::step(|| Effect::clone_process(0, first), clone_between).map_err(LaunchError::from_clone)?;
    drop(below);
    let above = above.expect("only the child, on its copy of our memory, takes our end away");
    let mut buffer = vec![0; MESSAGE_BYTES];
    let received = receive(&above, &mut buffer);
    let exit = end(&between);
    let child = match received {
        Ok((0, _)) => Err(LaunchError::Died { exit }),
        Ok((length, pidfd)) => match (serde_json::from_slice(&buffer[..length]), pidfd) {
            (Ok(Ok(pid)), Some(pidfd)) => Ok(Child { pid, pidfd }),
            (Ok(Err(failure)), _) => Err(LaunchError::from_failure(failure)),
            _ => Err(LaunchError::Channel { source: std::io::ErrorKind::InvalidData.into() }),
        },
        Err(nix::errno::Errno::EAGAIN) => Err(LaunchError::Channel { source: not_in_time() }),
        Err(errno) => Err(LaunchError::Channel { source: errno.into() }),
    };
    child.inspect_err(|_| end_untold(&told))
}

/// Ends the child of which we were not told: the process between was killed once it had cloned.
fn end_untold(told: &SharedPid) {
    let Some(pid) = told.get() else { return };
    // Whoever may trace the child could have written another number: only what is ours to reap is ended.
    let Some(pidfd) = sys::process::pidfd_open(pid).ok().filter(|pidfd| process::is_child(pidfd.as_fd())) else {
        return;
    };
    end(&Child { pid, pidfd });
}

/// Says why there is no process; EAGAIN is said of a limit, most of the time that of the cgroup it is born in.
fn not_born(errno: nix::errno::Errno) -> Failure {
    let limit = if errno == nix::errno::Errno::EAGAIN {
        ", beside the one that prepares it, within the limit of `pids`"
    } else {
        ""
    };
    failure(&format!("clone the container's process{limit}"), errno)
}

fn write_offsets(offsets: &str) -> Result<(), Failure> {
    let path = "/proc/self/timens_offsets";
    trace::step(|| Effect::write(path.as_ref(), offsets), || std::fs::write(path, offsets)).map_err(|error| {
        let act = format!("set `linux.timeOffsets` to `{}`", offsets.trim_end().replace('\n', ", "));
        Failure { errno: error.raw_os_error(), ..failure(&act, nix::errno::Errno::EIO) }
    })
}

pub(super) fn join(file: &OwnedFd, kind: i32) -> Result<(), Failure> {
    trace::step(|| Effect::join(kind, file), || setns(file, CloneFlags::from_bits_retain(kind))).map_err(|errno| {
        let act = format!("join the {} namespace (`linux.namespaces`)", namespace_name(kind));
        failure(&act, errno)
    })
}

pub(super) fn failure(act: &str, errno: nix::errno::Errno) -> Failure {
    let (kind, step) = (FailureKind::Setup, "namespaces".to_owned());
    Failure { kind, step, act: act.to_owned(), errno: Some(errno as i32) }
}

pub(super) fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> nix::Result<(usize, Option<OwnedFd>)> {
    loop {
        match sys::socket::receive(socket.as_fd(), buffer) {
            Err(nix::errno::Errno::EINTR) => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_child_that_nobody_told_of_is_ended_and_reaped_and_nobody_else() {
        #[expect(clippy::disallowed_methods, reason = "a child to be ended")]
        let mut child = Command::new("sleep").arg("60").process_group(0).spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        end_untold(&SharedPid::of(pid));
        assert_eq!(child.wait().unwrap_err().raw_os_error(), Some(libc::ECHILD), "it is reaped");
        // Gone, never there, not ours, ourselves.
        for pid in [pid, 0, 1, i32::try_from(std::process::id()).unwrap()] {
            end_untold(&SharedPid::of(pid));
        }
    }
}
