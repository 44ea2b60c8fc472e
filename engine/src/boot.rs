//! What runs again after a reboot, and the host's wish to go down. Runs in the command.
//!
//! A restart policy is the monitor's business while the host is up; across a reboot there is no monitor, so a command that the
//! host's init runs once looks at the policies.

use std::path::PathBuf;

use crate::durable::{self, FileError};
use crate::layout::ContainerPaths;
use crate::spec::RestartPolicy;
use crate::{Container, Engine};

impl Engine {
    /// Returns the containers that start after a reboot, oldest first.
    ///
    /// As Docker decides it: `always` starts whatever its user did, `unless-stopped` unless its user stopped it, `on-failure`
    /// if the host went down while it ran. Only what has run before.
    pub fn wanted_after_boot(&self) -> Result<Vec<Container>, FileError> {
        let mut containers = self.containers()?;
        containers.retain(|container| !container.state.status.is_active() && is_wanted(container));
        Ok(containers)
    }

    /// Returns whether this is the first call since the host has booted, and remembers it.
    pub fn begin_boot(&self) -> Result<bool, FileError> {
        durable::remove_file(&self.going_down())?;
        let done = self.layout.run().join("booted");
        let is_first = !done.exists();
        durable::write(&done, b"", 0o600, false)?;
        Ok(is_first)
    }

    /// Says that the host goes down: what ends from now on is not started again by its policy, and counts as cut off.
    pub fn begin_shutdown(&self) -> Result<(), FileError> {
        durable::remove_file(&self.layout.run().join("booted"))?;
        durable::write(&self.going_down(), b"", 0o600, false)
    }

    /// Returns whether a container that ends is to stay ended: its user has said so, or the host goes down.
    pub(crate) fn is_to_stop(&self, paths: &ContainerPaths) -> bool {
        let requests = [paths.stop_request(), paths.stop_request_of_this_boot(), self.going_down()];
        requests.iter().any(|request| request.exists())
    }

    pub(crate) fn going_down(&self) -> PathBuf {
        self.layout.run().join("going-down")
    }
}

fn is_wanted(container: &Container) -> bool {
    let has_run = container.state.started_at.is_some();
    let by_policy = match container.spec.restart {
        RestartPolicy::No => false,
        RestartPolicy::Always => true,
        RestartPolicy::UnlessStopped => !container.is_stopped_by_user(),
        RestartPolicy::OnFailure { .. } => container.state.cut_off && !container.is_stopped_by_user(),
    };
    has_run && by_policy
}
