//! Freezing and thawing a container. Runs in the command.
//!
//! A file says that the container is to be frozen, the kernel says whether it is: paused is what both say. Killed between
//! the two, a command leaves a container that runs and is shown as running.

use lighter_runtime::cgroup::CgroupError;

use crate::durable::{self, FileError};
use crate::state::Status;
use crate::{Container, Engine};

/// Why a container could not be paused or unpaused.
#[derive(Debug, thiserror::Error)]
pub enum PauseError {
    /// It does not run.
    #[error("container `{0}` is not running")]
    NotRunning(String),
    /// It is paused already.
    #[error("container `{0}` is paused already")]
    Already(String),
    /// It is not paused.
    #[error("container `{0}` is not paused")]
    NotPaused(String),
    /// The kernel refused.
    #[error("{act} container `{name}`")]
    Cgroup {
        /// `pause` or `unpause`.
        act: &'static str,
        /// The container.
        name: String,
        /// Why.
        #[source]
        source: Box<CgroupError>,
    },
    /// The note could not be written.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Engine {
    /// Stops every process of a running container where it is, until [`Engine::unpause`].
    pub fn pause(&self, container: &Container) -> Result<(), PauseError> {
        let name = &container.spec.name;
        let _lock = self.lock_container(&container.id)?;
        match self.load_state(&container.id)?.status {
            Status::Paused => return Err(PauseError::Already(name.clone())),
            Status::Running => {}
            _ => return Err(PauseError::NotRunning(name.clone())),
        }
        let Some(cgroup) = self.cgroup_of(&container.id) else { return Err(PauseError::NotRunning(name.clone())) };
        durable::write(&container.paths.pause_request(), b"", 0o600, false)?;
        cgroup.freeze().map_err(|source| {
            let _ = durable::remove_file(&container.paths.pause_request()); // without a frozen cgroup it says nothing
            PauseError::Cgroup { act: "pause", name: name.clone(), source: Box::new(source) }
        })?;
        self.tell_of(container, "pause");
        Ok(())
    }

    /// Lets a paused container go on.
    pub fn unpause(&self, container: &Container) -> Result<(), PauseError> {
        let name = &container.spec.name;
        let _lock = self.lock_container(&container.id)?;
        let cgroup = self.cgroup_of(&container.id);
        let Some(cgroup) = cgroup.filter(|_| self.load_state(&container.id).is_ok_and(|s| s.status == Status::Paused))
        else {
            return Err(PauseError::NotPaused(name.clone()));
        };
        let failed = |source| PauseError::Cgroup { act: "unpause", name: name.clone(), source: Box::new(source) };
        cgroup.thaw().map_err(failed)?;
        durable::remove_file(&container.paths.pause_request())?;
        self.tell_of(container, "unpause");
        Ok(())
    }

    /// Returns whether a container that runs is frozen because somebody paused it.
    pub(crate) fn is_paused(&self, id: &str) -> bool {
        self.layout.container(id).pause_request().exists()
            && self.cgroup_of(id).is_some_and(|cgroup| cgroup.is_frozen().unwrap_or(false))
    }
}
