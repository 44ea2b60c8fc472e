//! `pause` and `resume`.

use super::container::Status;
use super::{OciError, Root};

impl Root {
    /// Freezes the processes of a container.
    ///
    /// # Errors
    /// [`OciError::Status`] unless it is created or runs; [`OciError::Cgroup`] without a freezer.
    pub fn pause(&self, id: &str) -> Result<(), OciError> {
        let container = self.lock(id)?;
        container.require("pause", &[Status::Created, Status::Running])?;
        Ok(container.cgroup().freeze()?)
    }

    /// Lets frozen processes go on.
    ///
    /// # Errors
    /// [`OciError::Status`] unless it is paused.
    pub fn resume(&self, id: &str) -> Result<(), OciError> {
        let container = self.lock(id)?;
        container.require("resume", &[Status::Paused])?;
        Ok(container.cgroup().thaw()?)
    }
}
