//! Having a container's directory to oneself.

use std::fs::{DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::OciError;
use super::record::Record;
use super::root::open_directory;

/// A locked directory; the lock ends with this, also when the process is killed.
///
/// One that was made new is removed again unless it was [kept](Self::keep).
#[derive(Debug)]
pub(super) struct Claim {
    path: PathBuf,
    directory: File,
    discard: bool,
}

impl Claim {
    /// Makes a directory; `None` when somebody has it.
    ///
    /// What a creation left that was killed before its record was written is nobody's.
    pub(super) fn of_new(path: &Path) -> Result<Option<Self>, OciError> {
        match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if path.join(Record::FILE).exists() {
                    return Ok(None);
                }
            }
            Err(error) => return Err(OciError::file("make directory", path)(error)),
        }
        let directory = open_directory(path).map_err(OciError::file("open", path))?;
        match directory.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(OciError::file("lock", path)(error)),
        }
        // Between our look and our lock another may have made its container here.
        let mut claim = Self { path: path.to_owned(), directory, discard: false };
        claim.discard = claim.is_there()? && !path.join(Record::FILE).exists();
        Ok(claim.discard.then_some(claim))
    }

    /// Locks a directory, waiting for whoever has it; `None` when there is none, or it went meanwhile.
    pub(super) fn of_existing(path: &Path) -> Result<Option<Self>, OciError> {
        let directory = match open_directory(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            result => result.map_err(OciError::file("open", path))?,
        };
        directory.lock().map_err(OciError::file("lock", path))?;
        let claim = Self { path: path.to_owned(), directory, discard: false };
        Ok(claim.is_there()?.then_some(claim))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Lets the directory stay.
    pub(super) fn keep(&mut self) {
        self.discard = false;
    }

    /// Removes the directory and what this program puts there, the record last: until then a container is known.
    pub(super) fn remove(&mut self) -> Result<(), OciError> {
        let entries = std::fs::read_dir(&self.path).map_err(OciError::file("read directory", &self.path))?;
        let others = entries.flatten().map(|entry| entry.path()).filter(|path| !path.ends_with(Record::FILE));
        for path in others.chain([self.path.join(Record::FILE)]) {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(OciError::file("remove", &path)(error));
                }
                _ => {}
            }
        }
        self.discard = false;
        std::fs::remove_dir(&self.path).map_err(OciError::file("remove", &self.path))
    }

    /// Tells whether the path still leads to what is locked.
    fn is_there(&self) -> Result<bool, OciError> {
        let locked = self.directory.metadata().map_err(OciError::file("look at", &self.path))?;
        Ok(std::fs::symlink_metadata(&self.path)
            .is_ok_and(|there| (there.dev(), there.ino()) == (locked.dev(), locked.ino())))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.discard {
            // The failure that led here is the one to report.
            let _leftover = self.remove();
        }
    }
}
