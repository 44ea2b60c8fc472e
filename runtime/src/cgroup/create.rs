//! Making the directories of a cgroup in every hierarchy.

use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::error::{read, write};
use super::hierarchy::{self, Hierarchy, Kind};
use super::{Cgroup, CgroupError, kill};

/// Attempts at a directory whose parent another command may be removing as it became empty.
const ATTEMPTS: usize = 16;

/// What came of making a cgroup.
#[derive(Debug, Default)]
pub(crate) struct Made {
    /// Controllers whose hierarchy we may not write, with the reason.
    pub(crate) refused: Vec<(String, io::Error)>,
}

impl Made {
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
            match self.create_in(hierarchy) {
                Ok(()) => {}
                Err(CgroupError::Create { source, .. }) if is_not_delegated(&source) => {
                    let again = || io::Error::from(source.kind());
                    made.refused.extend(hierarchy.controllers().into_iter().map(|name| (name, again())));
                }
                Err(error) => {
                    self.undo(&error);
                    return Err(error);
                }
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

    fn create_in(&self, hierarchy: &Hierarchy) -> Result<(), CgroupError> {
        let directory = self.directory(hierarchy);
        let plain = hierarchy.kind != Kind::V2 && !hierarchy.has_v1("cpuset");
        match std::fs::create_dir(&directory) {
            Ok(()) if plain => return Ok(()),
            // What is left of a container that died half-made may carry its limits.
            Ok(()) | Err(_) => clear(&directory)?,
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
                enable_controllers(&directory, &hierarchy.mount);
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
fn inherit_cpuset(parent: &Path, directory: &Path) -> Result<(), CgroupError> {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let own = directory.join(file);
        if read(&own)?.trim().is_empty() {
            write(&own, read(&parent.join(file))?.trim())?;
        }
    }
    Ok(())
}

/// Hands the controllers of a version 2 cgroup on to its children, as far as it lets us.
///
/// One that cannot be handed on is missed where a limit needs it, and said there.
fn enable_controllers(directory: &Path, root: &Path) {
    let words = |file: &str| std::fs::read_to_string(directory.join(file)).unwrap_or_default();
    let (available, enabled) = (words("cgroup.controllers"), words("cgroup.subtree_control"));
    let enabled: Vec<&str> = enabled.split_whitespace().collect();
    let control = directory.join("cgroup.subtree_control");
    for controller in available.split_whitespace().filter(|name| !enabled.contains(name)) {
        let enable = || write(&control, &format!("+{controller}"));
        let busy = |error: CgroupError| error.errno() == Some(Errno::EBUSY);
        if enable().is_err_and(busy) && directory == root && move_to_leaf(directory).is_ok() {
            let _missed_by_a_limit = enable();
        }
    }
}

/// Moves the processes at the root of what we were delegated into a leaf `init`.
///
/// A cgroup with processes cannot hand controllers on (cgroups(7), "no internal processes"); only the
/// true root may, so this happens inside a container that was given a cgroup namespace.
fn move_to_leaf(root: &Path) -> Result<(), CgroupError> {
    let leaf: PathBuf = root.join("init");
    make_directory(&leaf)?;
    for pid in read(&root.join("cgroup.procs"))?.split_whitespace() {
        // A process that has ended meanwhile needs no moving; kernel threads cannot be moved.
        let _gone = write(&leaf.join("cgroup.procs"), pid);
    }
    Ok(())
}
