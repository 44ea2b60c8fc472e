//! Control groups: a container's place in every hierarchy, its limits and its figures.
//!
//! Runs in the monitor and in commands; never inside a container. A cgroup is known by its path
//! below the roots of the hierarchies, `/lighter/<project>/<container>`. Version 1 has a hierarchy
//! for each controller (or a few), version 2 one for all; a *hybrid* host has version 1 controllers
//! and beside them a version 2 hierarchy, which then tracks and kills processes but limits nothing.
//!
//! ```text
//! create ─▶ limits ─▶ attach (the child itself) ─▶ stats, freeze, oom … ─▶ kill ─▶ delete
//! ```

mod attach;
mod create;
mod delegation;
mod delete;
mod devices;
mod error;
mod freeze;
mod hierarchy;
mod kill;
mod limits;
mod oom;
mod path;
pub mod stats;
mod systemd;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub(crate) use attach::Attachment;
pub(crate) use create::Made;
pub use error::CgroupError;
pub(crate) use hierarchy::{Hierarchy, Kind};
pub use oom::OomWatch;
pub use path::CgroupPath;
pub use stats::{DetailedStats, Stats};
pub use systemd::{BusError, Description, Driver, Unit};

/// The cgroup of one container, by its path; nothing is open.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cgroup {
    path: CgroupPath,
}

impl Cgroup {
    /// Names the cgroup at `path`, which need not exist.
    ///
    /// # Errors
    /// [`CgroupError::Path`] when `path` is relative, is the root, or has `.` or `..` in it.
    pub fn open(path: &str) -> Result<Self, CgroupError> {
        Ok(Self { path: path.parse()? })
    }

    /// Returns the path below the roots of the hierarchies: absolute, in normal form.
    #[must_use]
    pub fn path(&self) -> &str {
        self.path.as_str()
    }

    /// Returns the directories of this cgroup by controller.
    ///
    /// Version 1: `memory`, `cpu`, …, and named hierarchies such as `name=systemd`; version 2: `unified`.
    #[must_use]
    pub fn files(&self) -> Vec<(String, PathBuf)> {
        let named = |hierarchy: &Hierarchy| {
            let directory = self.directory(hierarchy);
            hierarchy.controllers().into_iter().map(move |controller| (controller, directory.clone()))
        };
        hierarchy::host().iter().flat_map(named).collect()
    }

    /// Returns the pids in this cgroup and those below it, as the caller's pid namespace numbers them.
    ///
    /// # Errors
    /// [`CgroupError::File`] for a `cgroup.procs` that cannot be read; a cgroup that is gone has none.
    pub fn pids(&self) -> Result<Vec<i32>, CgroupError> {
        match self.tracking_directory() {
            Some(directory) => kill::pids_below(&directory),
            None => Ok(Vec::new()),
        }
    }

    /// Returns the hierarchies where this cgroup exists, with its directory in each.
    pub(crate) fn existing(&self) -> impl Iterator<Item = (&'static Hierarchy, PathBuf)> {
        let directory = |hierarchy| (hierarchy, self.directory(hierarchy));
        hierarchy::host().iter().map(directory).filter(|(_, directory)| directory.is_dir())
    }

    fn directory(&self, hierarchy: &Hierarchy) -> PathBuf {
        hierarchy.mount.join(self.path.relative())
    }

    /// The directory of this cgroup in the version 2 hierarchy, if it exists.
    fn unified(&self) -> Option<PathBuf> {
        let hierarchy = hierarchy::host().iter().find(|hierarchy| hierarchy.kind == Kind::V2)?;
        Some(self.directory(hierarchy)).filter(|directory| directory.is_dir())
    }

    /// The directory of this cgroup in the version 1 hierarchy of `controller`, if it exists.
    fn v1(&self, controller: &str) -> Option<PathBuf> {
        let hierarchy = hierarchy::host().iter().find(|hierarchy| hierarchy.has_v1(controller))?;
        Some(self.directory(hierarchy)).filter(|directory| directory.is_dir())
    }

    /// The directory that tells which processes belong here: version 2 first, else any hierarchy.
    fn tracking_directory(&self) -> Option<PathBuf> {
        let any = || hierarchy::host().iter().map(|h| self.directory(h)).find(|directory| directory.is_dir());
        self.unified().or_else(|| self.v1("pids")).or_else(any)
    }
}
