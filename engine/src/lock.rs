//! `flock` locks, taken in one order: project → container → network → image store.
//!
//! A lock ends with the process that holds it, so a killed command never leaves one behind.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::{Flock, FlockArg};

use crate::durable::{self, FileError};

/// A lock that is held; dropping it lets go.
#[derive(Debug)]
pub struct Lock {
    _file: Flock<File>,
}

impl Lock {
    /// Waits for the lock.
    pub(crate) fn take(path: &Path) -> Result<Self, FileError> {
        if let Some(parent) = path.parent() {
            durable::create_dir(parent)?;
        }
        loop {
            let file = open(path).map_err(FileError::io("open lock", path))?;
            match Flock::lock(file, FlockArg::LockExclusive) {
                // a lock file that was removed while we waited guards nothing
                Ok(file) if is_current(&file, path) => return Ok(Self { _file: file }),
                Ok(_) | Err((_, nix::Error::EINTR)) => {}
                Err((_, errno)) => return Err(FileError::io("lock", path)(errno.into())),
            }
        }
    }

    /// Takes the lock if nobody holds it.
    pub(crate) fn try_take(path: &Path) -> Result<Option<Self>, FileError> {
        if let Some(parent) = path.parent() {
            durable::create_dir(parent)?;
        }
        let file = open(path).map_err(FileError::io("open lock", path))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(file) if is_current(&file, path) => Ok(Some(Self { _file: file })),
            Ok(_) | Err((_, nix::Error::EWOULDBLOCK | nix::Error::EINTR)) => Ok(None),
            Err((_, errno)) => Err(FileError::io("lock", path)(errno.into())),
        }
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).custom_flags(libc::O_CLOEXEC).open(path)
}

fn is_current(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(held), Ok(named)) => held.ino() == named.ino() && held.dev() == named.dev(),
        _ => false,
    }
}
