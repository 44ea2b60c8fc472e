//! `update`: other limits for a container that runs.

use oci_spec::runtime::LinuxResources;

use super::container::Status;
use super::{OciError, Root};
use crate::cgroup::{Driver, Unit};

impl Root {
    /// Changes the limits of a container; what `resources` leaves out stays as it is.
    ///
    /// Returns what the user should be told.
    ///
    /// # Errors
    /// [`OciError::Status`] when it is stopped; [`OciError::Cgroup`] names the limit the kernel refused.
    pub fn update(&self, id: &str, resources: &LinuxResources) -> Result<Vec<String>, OciError> {
        let container = self.lock(id)?;
        container.require("update", &[Status::Created, Status::Running, Status::Paused])?;
        Ok(match container.record.driver {
            Driver::Cgroupfs => container.cgroup().update(resources)?,
            Driver::Systemd => Unit::of(container.cgroup()).update(resources)?,
        })
    }
}
