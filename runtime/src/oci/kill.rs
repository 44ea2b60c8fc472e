//! `kill`: a signal to a container (runtime-spec, runtime.md, "Kill").

use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use super::container::{Container, Status};
use super::{OciError, Root};
use crate::process;

impl Root {
    /// Sends a signal to the first process of a container, or to `all` of its processes; 0 only asks whether one could be sent.
    ///
    /// # Errors
    /// [`OciError::Status`] when it neither is created nor runs; of `all` processes that is no error.
    pub fn kill(&self, id: &str, signal: i32, all: bool) -> Result<(), OciError> {
        if all {
            return self.lock(id)?.signal_all(signal);
        }
        // Not locked: a hook that does not end must not keep others from ending the container.
        let container = self.open(id)?;
        container.require("signal", &[Status::Created, Status::Running, Status::Paused])?;
        let failed = |source| OciError::File { act: "signal a process of", path: container.directory.clone(), source };
        if let Some(init) = container.open_init()? {
            process::kill(init.as_fd(), signal).map_err(failed)?;
        }
        if signal == libc::SIGKILL {
            // What is frozen dies once it thaws (version 1).
            container.cgroup().thaw()?;
            // What shares a pid namespace outlives the first process. Locked: by now the cgroup might be another's.
            if !container.record.own_pid_namespace {
                match self.lock(id) {
                    Err(OciError::Missing(_)) => {}
                    container => container?.cgroup().kill_all()?,
                }
            }
        }
        Ok(())
    }
}

impl Container {
    fn signal_all(&self, number: i32) -> Result<(), OciError> {
        if number == libc::SIGKILL {
            return Ok(self.cgroup().kill_all()?);
        }
        let signal = (number != 0).then(|| Signal::try_from(number)).transpose();
        let signal = signal
            .map_err(|_| OciError::Options(format!("{number} is no signal that can be sent to all processes")))?;
        // Frozen, so that no process is missed or replaced by a stranger with its pid meanwhile.
        let frozen = self.cgroup().is_frozen().unwrap_or(false);
        let froze = !frozen && self.cgroup().freeze().is_ok();
        let sent = self.pids()?.into_iter().try_for_each(|pid| match signal::kill(Pid::from_raw(pid), signal) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(errno) => {
                Err(OciError::File { act: "signal a process of", path: self.directory.clone(), source: errno.into() })
            }
        });
        if froze {
            self.cgroup().thaw()?;
        }
        sent
    }

    /// Kills whatever is left of it, without a word.
    pub(super) fn end_all(&self) {
        if let Ok(Some(init)) = self.open_init() {
            self.end_with(&init);
        } else {
            let _gone = self.cgroup().kill_all();
        }
    }

    /// As [`end_all`](Self::end_all), with its first process at hand.
    pub(super) fn end_with(&self, init: &OwnedFd) {
        let _gone = process::kill(init.as_fd(), libc::SIGKILL);
        let _gone = self.cgroup().kill_all();
    }
}
