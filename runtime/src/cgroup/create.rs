//! Making the directories of a cgroup in every hierarchy.

use std::io;
use std::path::Path;

use nix::errno::Errno;

use super::error::{read, write};
use super::hierarchy::{self, Hierarchy, Kind};
use super::{Cgroup, CgroupError, delegation, kill};

/// Attempts at a directory whose parent another command may be removing as it became empty.
const ATTEMPTS: usize = 16;

/// What came of making a cgroup.
#[derive(Debug, Default)]
pub(crate) struct Made {
    /// Controllers whose hierarchy we may not write, with the reason.
    pub(crate) refused: Vec<(String, io::Error)>,
}

impl Made {
    /// Passes over a hierarchy that we may not write.
    fn record(&mut self, hierarchy: &Hierarchy, result: Result<(), CgroupError>) -> Result<(), CgroupError> {
        match result {
            Err(CgroupError::Create { source, .. }) if is_not_delegated(&source) => {
                let again = || io::Error::from(source.kind());
                self.refused.extend(hierarchy.controllers().into_iter().map(|name| (name, again())));
                Ok(())
            }
            result => result,
        }
    }

    /// Tells whether the hierarchy of a version 1 controller was let to us.
    pub(crate) fn has(&self, controller: &str) -> bool {
        let is_v1 = hierarchy::host().iter().any(|hierarchy| hierarchy.has_v1(controller));
        is_v1 && self.refused.iter().all(|(name, _)| name != controller)
    }

    /// Says once which controllers this host keeps from us, and why.
    pub(crate) fn warning(&self) -> Option<String> {
        let (_, error) = self.refused.first()?;
        let names: Vec<&str> = self.refused.iter().map(|(name, _)| name.as_str()).collect();
        Some(format!("no cgroup of its own for {} ({error}): it runs without their accounting", names.join(", ")))
    }
}

impl Cgroup {
    /// Makes the cgroup in every hierarchy of the host.
    ///
    /// A hierarchy we may not write (in a container that was delegated nothing) is passed over.
    pub(crate) fn create(&self) -> Result<Made, CgroupError> {
        let mut made = Made::default();
        for hierarchy in hierarchy::host() {
            if let Err(error) = made.record(hierarchy, self.create_in(hierarchy)) {
                self.undo(&error);
                return Err(error);
            }
        }
        Ok(made)
    }

    /// Makes what systemd has not made of this cgroup, and moves process `pid` there.
    ///
    /// systemd knows some controllers of version 1 only, and its own named hierarchy is its own affair.
    pub(crate) fn complete(&self, pid: i32) -> Result<Made, CgroupError> {
        let mut made = Made::default();
        let is_systemds = |hierarchy: &Hierarchy| hierarchy.kind == Kind::Named("systemd".to_owned());
        for hierarchy in hierarchy::host().iter().filter(|hierarchy| !is_systemds(hierarchy)) {
            let directory = self.directory(hierarchy);
            made.record(hierarchy, self.create_levels(hierarchy))?;
            if directory.is_dir() && !kill::pids_below(&directory)?.contains(&pid) {
                write(&directory.join("cgroup.procs"), &pid.to_string())?;
            }
        }
        Ok(made)
    }

    /// Removes what was made before `error`, unless the cgroup turned out to be somebody else's.
    fn undo(&self, error: &CgroupError) {
        if !matches!(error, CgroupError::Occupied { .. }) {
            // Why the cgroup could not be made is what the caller wants to know.
            let _leftover = self.delete();
        }
    }

    /// Makes the directory at once; its parents, one by one, only where they are missing or not prepared.
    fn create_in(&self, hierarchy: &Hierarchy) -> Result<(), CgroupError> {
        let directory = self.directory(hierarchy);
        match std::fs::create_dir(&directory) {
            Ok(()) if is_prepared(hierarchy, &directory)? => return Ok(()),
            // What is left of a container that died half-made may carry its limits.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => clear(&directory)?,
            Ok(()) | Err(_) => {}
        }
        let mut result = Ok(());
        for _ in 0..ATTEMPTS {
            result = self.create_levels(hierarchy);
            let vanished = |error: &CgroupError| matches!(error.errno(), Some(Errno::ENOENT | Errno::ENODEV));
            if !result.as_ref().is_err_and(vanished) {
                return result;
            }
        }
        result
    }

    /// Makes one level after the other, as each must be prepared before there is one below it.
    fn create_levels(&self, hierarchy: &Hierarchy) -> Result<(), CgroupError> {
        let mut directory = hierarchy.mount.clone();
        for component in self.path.relative() {
            if hierarchy.kind == Kind::V2 {
                delegation::enable_controllers(&directory, &hierarchy.mount);
            }
            let parent = directory.clone();
            directory.push(component);
            make_directory(&directory)?;
            if hierarchy.has_v1("cpuset") {
                inherit_cpuset(&parent, &directory)?;
            }
        }
        Ok(())
    }
}

/// Prepares a directory that was just made, if the one above it is prepared.
///
/// A directory that vanishes meanwhile is not prepared.
fn is_prepared(hierarchy: &Hierarchy, directory: &Path) -> Result<bool, CgroupError> {
    let prepared = match directory.parent() {
        Some(above) if hierarchy.has_v1("cpuset") => inherit_cpuset(above, directory),
        _ if hierarchy.kind == Kind::V2 => return Ok(delegation::has_all_controllers(directory, &hierarchy.mount)),
        _ => return Ok(true),
    };
    match prepared {
        Err(error) if matches!(error.errno(), Some(Errno::ENOENT | Errno::ENODEV)) => Ok(false),
        result => result,
    }
}

/// Removes what is at `directory`, unless somebody lives there.
fn clear(directory: &Path) -> Result<(), CgroupError> {
    if let Some(pid) = kill::pids_below(directory)?.first() {
        return Err(CgroupError::Occupied { path: directory.to_owned(), pid: *pid });
    }
    for leftover in kill::directories_below(directory).iter().rev() {
        let _absent = std::fs::remove_dir(leftover);
    }
    Ok(())
}

fn is_not_delegated(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied)
}

fn make_directory(path: &Path) -> Result<(), CgroupError> {
    match std::fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(CgroupError::Create { path: path.to_owned(), source: error })
        }
        _ => Ok(()),
    }
}

/// Copies processors and memory nodes from above: a version 1 cpuset without them takes no process.
///
/// Returns whether there was anything to copy.
fn inherit_cpuset(above: &Path, directory: &Path) -> Result<bool, CgroupError> {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let own = directory.join(file);
        if !read(&own)?.trim().is_empty() {
            continue;
        }
        let inherited = read(&above.join(file))?;
        if inherited.trim().is_empty() {
            return Ok(false);
        }
        write(&own, inherited.trim())?;
    }
    Ok(true)
}
