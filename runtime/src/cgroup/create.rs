//! Making the directories of a cgroup in every hierarchy.

use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::error::{make, read, write};
use super::hierarchy::{self, Hierarchy, Kind};
use super::{Cgroup, CgroupError, delegation, kill};

/// Attempts at a directory whose parent another command may be removing as it became empty.
const ATTEMPTS: usize = 16;

/// What came of making a cgroup.
#[derive(Debug, Default)]
pub(crate) struct Made {
    /// Controllers whose hierarchy we may not write, with the reason.
    pub(crate) refused: Vec<(String, io::Error)>,
    /// Directories that were not there before, in the order they were made.
    directories: Vec<PathBuf>,
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

    /// Removes what was made, and nothing that was there before: that may be somebody else's.
    fn undo(&self) {
        for directory in self.directories.iter().rev() {
            // Why the cgroup could not be made is what the caller wants to know.
            let _leftover = std::fs::remove_dir(directory);
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
            let created = self.create_in(hierarchy, &mut made.directories);
            if let Err(error) = made.record(hierarchy, created) {
                made.undo();
                return Err(error);
            }
        }
        Ok(made)
    }

    /// Refuses a cgroup in which somebody lives.
    pub(crate) fn require_vacant(&self) -> Result<(), CgroupError> {
        self.existing().try_for_each(|(_, directory)| require_vacant(&directory))
    }

    /// Makes what systemd has not made of this cgroup, and moves process `pid` there.
    ///
    /// systemd knows some controllers of version 1 only, and its own named hierarchy is its own affair.
    pub(crate) fn complete(&self, pid: i32) -> Result<Made, CgroupError> {
        let mut made = Made::default();
        let is_systemds = |hierarchy: &Hierarchy| hierarchy.kind == Kind::Named("systemd".to_owned());
        for hierarchy in hierarchy::host().iter().filter(|hierarchy| !is_systemds(hierarchy)) {
            let directory = self.directory(hierarchy);
            let created = self.create_levels(hierarchy, &mut made.directories);
            made.record(hierarchy, created)?;
            if directory.is_dir() && !kill::pids_below(&directory)?.contains(&pid) {
                write(&directory.join("cgroup.procs"), &pid.to_string())?;
            }
        }
        Ok(made)
    }

    /// Makes the directory at once; its parents, one by one, only where they are missing or not prepared.
    fn create_in(&self, hierarchy: &Hierarchy, made: &mut Vec<PathBuf>) -> Result<(), CgroupError> {
        let directory = self.directory(hierarchy);
        match make(&directory) {
            Ok(()) => {
                made.push(directory.clone());
                if is_prepared(hierarchy, &directory)? {
                    return Ok(());
                }
            }
            // What is left of a container that died half-made may carry its limits.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => clear(&directory)?,
            Err(_) => {}
        }
        let mut result = Ok(());
        for _ in 0..ATTEMPTS {
            result = self.create_levels(hierarchy, made);
            let vanished = |error: &CgroupError| matches!(error.errno(), Some(Errno::ENOENT | Errno::ENODEV));
            if !result.as_ref().is_err_and(vanished) {
                return result;
            }
        }
        result
    }

    /// Makes one level after the other, as each must be prepared before there is one below it.
    fn create_levels(&self, hierarchy: &Hierarchy, made: &mut Vec<PathBuf>) -> Result<(), CgroupError> {
        let mut directory = hierarchy.mount.clone();
        for component in self.path.relative() {
            if hierarchy.kind == Kind::V2 {
                delegation::enable_controllers(&directory, &hierarchy.mount);
            }
            let parent = directory.clone();
            directory.push(component);
            if make_directory(&directory)? {
                made.push(directory.clone());
            }
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

fn require_vacant(directory: &Path) -> Result<(), CgroupError> {
    match kill::pids_below(directory)?.first() {
        Some(pid) => Err(CgroupError::Occupied { path: directory.to_owned(), pid: *pid }),
        None => Ok(()),
    }
}

/// Removes what is at `directory`, unless somebody lives there.
fn clear(directory: &Path) -> Result<(), CgroupError> {
    require_vacant(directory)?;
    for leftover in kill::directories_below(directory).iter().rev() {
        let _absent = std::fs::remove_dir(leftover);
    }
    Ok(())
}

fn is_not_delegated(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied)
}

/// Returns whether the directory was not there before.
fn make_directory(path: &Path) -> Result<bool, CgroupError> {
    match make(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(source) => Err(CgroupError::Create { path: path.to_owned(), source }),
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
