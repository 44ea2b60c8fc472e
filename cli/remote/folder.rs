//! The folder that a command from another host works in: what was carried here, and what is wanted back.
//!
//! It goes with the process that made it. One whose process was killed goes with the next that is made: whoever holds
//! the lock in it lives.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

/// File in the folder whose lock says that the folder is in use.
const LOCK: &str = "lock";

/// The folder.
pub(super) struct Folder {
    path: PathBuf,
    _lock: Flock<File>,
}

impl Folder {
    /// Makes an empty folder below `root`, for us alone; removes those that nobody uses.
    pub(super) fn make(root: &Path) -> io::Result<Self> {
        let all = root.join("remote");
        private().recursive(true).create(&all)?;
        // nobody sweeps a folder that is not locked yet
        let _turn = lock(&all.join(LOCK), FlockArg::LockExclusive)?;
        for entry in fs::read_dir(&all)?.flatten().filter(|entry| entry.path().is_dir()) {
            if lock(&entry.path().join(LOCK), FlockArg::LockExclusiveNonblock).is_ok() {
                let _ = fs::remove_dir_all(entry.path()); // the next one tries again
            }
        }
        let path = all.join(lighter_engine::random_name());
        private().create(&path)?;
        let lock = lock(&path.join(LOCK), FlockArg::LockExclusive)?;
        Ok(Self { path, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path); // what stays is swept by the next
    }
}

fn private() -> fs::DirBuilder {
    let mut builder = fs::DirBuilder::new();
    builder.mode(0o700);
    builder
}

fn lock(path: &Path, how: FlockArg) -> io::Result<Flock<File>> {
    let file = File::options().create(true).truncate(false).write(true).open(path)?;
    Flock::lock(file, how).map_err(|(_, errno)| errno.into())
}

/// Returns the file with the header.
pub(super) fn header(folder: &Path) -> PathBuf {
    folder.join("header.json")
}

/// Returns where what was carried is; a child of it has the place in the list as its name.
pub(super) fn carried(folder: &Path) -> PathBuf {
    folder.join("carried")
}

/// Returns the file of the project.
pub(super) fn project(folder: &Path) -> PathBuf {
    carried(folder).join(super::archive::PROJECT)
}

/// Returns where what is wanted back is put; a child of it has the place in the list as its name.
pub(super) fn wanted(folder: &Path) -> PathBuf {
    folder.join("wanted")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_with_its_owner_or_with_the_next() {
        let root = tempfile::tempdir().unwrap();
        let first = Folder::make(root.path()).unwrap();
        let abandoned = root.path().join("remote/abandoned");
        fs::create_dir(&abandoned).unwrap();
        let second = Folder::make(root.path()).unwrap();
        assert!(first.path().exists() && second.path().exists() && !abandoned.exists());
        let path = second.path().to_owned();
        drop(second);
        assert!(!path.exists() && first.path().exists());
    }
}
