//! Stopping a container's processes for a while, so that its files stay as they are.
//!
//! Runs in the command. A file says who stopped them, and is there before they are stopped: if that command is killed,
//! the next one lets them go on.

use std::fs;
use std::io;
use std::path::PathBuf;

use lighter_runtime::cgroup::Cgroup;

use crate::durable::{self, FileError};
use crate::state::Process;
use crate::{Container, Engine, id};

/// Why processes could not be stopped.
#[derive(Debug, thiserror::Error)]
pub enum FreezeError {
    /// The kernel refused.
    #[error("pause container `{name}`")]
    Cgroup {
        /// The container.
        name: String,
        /// Why.
        #[source]
        source: lighter_runtime::cgroup::CgroupError,
    },
    /// The record could not be written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Processes that are stopped until this is dropped.
pub(crate) struct Frozen {
    cgroup: Cgroup,
    /// Says that we have stopped them.
    record: PathBuf,
}

impl Drop for Frozen {
    fn drop(&mut self) {
        // What fails here is done by the next command.
        if self.cgroup.thaw().is_ok() {
            let _ = durable::remove_file(&self.record);
        }
    }
}

impl Engine {
    /// Stops the processes of a container; `None` if it has none, or somebody else has stopped them already.
    ///
    /// The caller holds the container's lock.
    pub(crate) fn freeze(&self, container: &Container) -> Result<Option<Frozen>, FreezeError> {
        let failed = |source| FreezeError::Cgroup { name: container.spec.name.clone(), source };
        if !self.load_state(&container.id)?.has_init() {
            return Ok(None);
        }
        let Some(cgroup) = self.cgroup_of(&container.id) else { return Ok(None) };
        if cgroup.is_frozen().map_err(failed)? {
            return Ok(None);
        }
        durable::create_dir(&self.layout.frozen())?;
        let record = self.layout.frozen().join(&container.id);
        let process = Process::current().map_err(FileError::io("look up ourselves for", &record))?;
        durable::write_json(&record, &process, false)?;
        let frozen = Frozen { cgroup, record };
        // Dropped on failure, which also undoes half of it.
        frozen.cgroup.freeze().map_err(failed)?;
        Ok(Some(frozen))
    }

    /// Lets the processes go on that commands stopped which have died since.
    pub(crate) fn thaw_abandoned(&self) -> Result<(), FileError> {
        let entries = fs::read_dir(self.layout.frozen()).into_iter().flatten().flatten();
        let ids = entries.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| id::is_id(name));
        ids.into_iter().try_for_each(|id| self.thaw_abandoned_one(&id))
    }

    fn thaw_abandoned_one(&self, id: &str) -> Result<(), FileError> {
        let path = self.layout.frozen().join(id);
        let Some(owner) = durable::read_json::<Process>(&path)?.filter(|owner| !owner.is_alive()) else {
            return Ok(());
        };
        if let Some(cgroup) = self.cgroup_of(id) {
            cgroup.thaw().map_err(|error| FileError::io("thaw the container of", &path)(io::Error::other(error)))?;
        }
        // Another command may have stopped them since we looked.
        match durable::read_json::<Process>(&path)? == Some(owner) {
            true => durable::remove_file(&path),
            false => Ok(()),
        }
    }
}
