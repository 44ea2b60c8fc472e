//! `delete`: what was made is unmade (runtime-spec, runtime.md, "Delete").

use std::os::fd::AsFd;
use std::path::Path;

use nix::poll::{PollFd, PollFlags, poll};
use oci_spec::runtime::ContainerState;

use super::claim::Claim;
use super::container::{Container, Status};
use super::{OciError, Root};
use crate::cgroup::{Driver, Unit};
use crate::hooks;

/// How long a killed process may take to end; one in an uninterruptible sleep takes longer.
const PATIENCE_MS: u16 = 10_000;

impl Root {
    /// Removes a container: its cgroup, its directory, and with `force` its processes.
    ///
    /// One that was created and never started is removed without force, as runc does and engines rely on.
    /// With `force`, one that does not exist is no error. Returns what the user should be told.
    ///
    /// # Errors
    /// [`OciError::Status`] when it runs and `force` is not given.
    pub fn delete(&self, id: &str, force: bool) -> Result<Vec<String>, OciError> {
        let container = match self.lock(id) {
            Err(OciError::Missing(_)) if force => return self.sweep(id).map(|()| Vec::new()),
            Err(error @ OciError::Malformed { .. }) if force => {
                return self.sweep(id).map(|()| vec![error.to_string()]);
            }
            result => result?,
        };
        if !force {
            container.require("delete", &[Status::Stopped, Status::Created])?;
        }
        container.delete()
    }

    /// Removes the directory of a container that has no record one could read.
    fn sweep(&self, id: &str) -> Result<(), OciError> {
        match Claim::of_existing(&self.directory(id)?)? {
            Some(mut claim) => claim.remove(),
            None => Ok(()),
        }
    }
}

impl Container {
    /// Ends and removes it.
    pub(super) fn delete(mut self) -> Result<Vec<String>, OciError> {
        self.end()?;
        match self.record.driver {
            Driver::Cgroupfs => self.cgroup().delete()?,
            Driver::Systemd => Unit::of(self.cgroup()).stop()?,
        }
        if let Some(claim) = &mut self.claim {
            claim.remove()?;
        }
        Ok(self.run_poststop())
    }

    /// Runs what the caller wants to be run once it is gone; returns which of that failed, and how.
    pub(super) fn run_poststop(&self) -> Vec<String> {
        let state = self.subject().state(ContainerState::Stopped, None);
        let bundle: &Path = &self.record.bundle;
        let failed = hooks::run_each(&self.record.hooks.poststop, &state, Some(bundle).filter(|path| path.is_dir()));
        failed.iter().map(|error| format!("after it was deleted: {}", error.told())).collect()
    }

    /// Kills its processes and waits until the first has ended.
    fn end(&self) -> Result<(), OciError> {
        let Some(init) = self.open_init()? else {
            self.end_all();
            return Ok(());
        };
        self.end_with(&init);
        let mut fds = [PollFd::new(init.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PATIENCE_MS) {
            Ok(0) => Err(OciError::Status { act: "delete", id: self.record.id.clone(), status: Status::Running }),
            _ => Ok(()),
        }
    }
}
