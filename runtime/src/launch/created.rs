//! A container between its creation and its start.

use std::os::fd::OwnedFd;

use super::placement::Placement;
use super::{LaunchError, end, release};
use crate::cgroup::Cgroup;
use crate::init::Channel;
use crate::process::{self, ProcessRef};
use crate::sys::process::Child;

/// A container that is set up; its init waits just before the execve.
///
/// Dropped without [`start`](Self::start), init is killed and reaped, and the cgroup is removed.
#[derive(Debug)]
pub struct Created {
    /// The container's init.
    pub init: Init,
    /// The master side of the container's terminal. Take it before the start, or it is closed.
    pub terminal: Option<OwnedFd>,
    /// What the user should be told once.
    pub warnings: Vec<String>,
    waiting: Waiting,
    placement: Placement,
    state: Vec<u8>,
}

/// The first process of a container: pid 1 in its pid namespace, a child of whoever created it.
#[derive(Debug)]
pub struct Init {
    /// Its pid in the caller's pid namespace.
    pub pid: i32,
    /// Its start time: `/proc/PID/stat` field 22, clock ticks since boot.
    pub start_time: u64,
    /// Its handle, by which it is signalled and reaped.
    pub pidfd: OwnedFd,
    /// The container's cgroup.
    pub cgroup: Cgroup,
}

impl Init {
    /// Returns what names this process to others, and after a restart of the caller.
    #[must_use]
    pub fn process(&self) -> ProcessRef {
        ProcessRef { pid: self.pid, start_time: self.start_time }
    }
}

impl Created {
    pub(super) fn new(
        child: Child,
        channel: Channel,
        (cgroup, placement): (Cgroup, Placement),
        terminal: Option<OwnedFd>,
        warnings: Vec<String>,
        state: Vec<u8>,
    ) -> Result<Self, LaunchError> {
        let pid = child.pid;
        let handles = child.pidfd.try_clone().and_then(|pidfd| Ok((pidfd, process::start_time(pid)?)));
        let waiting = Waiting { child: Some(child), channel };
        let (pidfd, start_time) = handles.map_err(LaunchError::clone)?;
        let init = Init { pid, start_time, pidfd, cgroup };
        Ok(Self { init, terminal, warnings, waiting, placement, state })
    }

    /// Lets init execute the container's program; returns once it has.
    ///
    /// # Errors
    /// [`LaunchError::Init`] when the program cannot be executed: [`LaunchError::exit_code`] tells whether
    /// it was not found (127) or cannot be invoked (126). Nothing is left of the container then.
    pub fn start(self) -> Result<Init, LaunchError> {
        let Self { init, waiting, placement, state, .. } = self;
        waiting.release(&state)?;
        placement.keep();
        Ok(init)
    }

    /// Leaves init to wait at its start socket, also when the caller ends.
    ///
    /// # Errors
    /// [`LaunchError::Channel`] when init is gone. Nothing is left of the container then.
    pub fn leave(self) -> Result<Init, LaunchError> {
        let Self { init, waiting, placement, state, .. } = self;
        waiting.leave(&state)?;
        placement.keep();
        Ok(init)
    }
}

/// An init that waits for permission to go on, and dies when nobody gives it.
#[derive(Debug)]
struct Waiting {
    child: Option<Child>,
    channel: Channel,
}

impl Waiting {
    /// Gives the permission and waits until the program runs.
    fn release(mut self, state: &[u8]) -> Result<(), LaunchError> {
        release(&self.channel, state)?;
        self.child = None;
        Ok(())
    }

    /// Gives the permission to wait for somebody else's.
    fn leave(mut self, state: &[u8]) -> Result<(), LaunchError> {
        self.channel.go(state).map_err(|source| LaunchError::Channel { source })?;
        self.child = None;
        Ok(())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(child) = &self.child {
            end(child);
        }
    }
}
