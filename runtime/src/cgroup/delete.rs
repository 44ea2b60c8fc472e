//! Removing a cgroup and the levels above it that became empty.

use std::io;
use std::path::Path;

use nix::errno::Errno;

use super::hierarchy::{self, Hierarchy};
use super::kill::{directories_below, is_gone, wait_a_moment};
use super::{Cgroup, CgroupError};

/// How long to wait for processes that are dying: a cgroup cannot go before its last process has.
const PATIENCE_MS: usize = 2_000;

impl Cgroup {
    /// Removes this cgroup from every hierarchy, with what is below it and what became empty above.
    ///
    /// Kills nobody. What is gone already counts as removed; goes on when one hierarchy fails.
    ///
    /// # Errors
    /// The first [`CgroupError::Delete`], EBUSY when processes stay in it for more than 2 s.
    pub fn delete(&self) -> Result<(), CgroupError> {
        let mut first_failure = Ok(());
        for hierarchy in hierarchy::host() {
            let result = self.delete_in(hierarchy);
            if first_failure.is_ok() {
                first_failure = result;
            }
        }
        first_failure
    }

    fn delete_in(&self, hierarchy: &Hierarchy) -> Result<(), CgroupError> {
        let directory = self.directory(hierarchy);
        // Most often nothing is below, and one rmdir(2) is all it takes.
        if remove(&directory).is_err() {
            for below in directories_below(&directory).iter().rev() {
                remove_patiently(below)?;
            }
        }
        // Up to the root of the hierarchy, as far as nobody else uses the levels.
        let above = directory.ancestors().skip(1).take_while(|level| *level != hierarchy.mount);
        for level in above {
            if std::fs::remove_dir(level).is_err() {
                break;
            }
        }
        Ok(())
    }
}

fn remove_patiently(path: &Path) -> Result<(), CgroupError> {
    let mut result = remove(path);
    for _ in 0..PATIENCE_MS {
        match &result {
            Err(error) if error.raw_os_error() == Some(Errno::EBUSY as i32) => {
                wait_a_moment();
                result = remove(path);
            }
            _ => break,
        }
    }
    result.map_err(|source| CgroupError::Delete { path: path.to_owned(), source })
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_dir(path) {
        Err(error) if is_gone(&error) => Ok(()),
        // A host that delegated us nothing let us create nothing.
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => Ok(()),
        result => result,
    }
}
