//! `flock` locks, taken in one order: project → container → network → image store.
//!
//! A lock ends with the process that holds it, so a killed command never leaves one behind.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::{Flock, FlockArg};

use crate::durable::{self, FileError};

/// A lock that is held; dropping it lets go.
#[derive(Debug)]
pub struct Lock {
    file: Flock<File>,
}

/// Who holds a lock: a process that has left its number in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its pid.
    pub pid: i32,
    /// Its command line, words joined by blanks; empty when it has just ended.
    pub command: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.command.as_str() {
            "" => write!(f, "process {}", self.pid),
            command => write!(f, "process {} (`{command}`)", self.pid),
        }
    }
}

impl Lock {
    /// Takes the lock and leaves our pid in it, for those who wait; or returns who holds it.
    ///
    /// The holder is `None` when it has not yet said, or has let go meanwhile.
    pub(crate) fn take_or_holder(path: &Path) -> Result<Result<Self, Option<Holder>>, FileError> {
        let Some(lock) = Self::try_take(path)? else { return Ok(Err(holder(path))) };
        let text = std::process::id().to_string();
        let noted = lock.file.set_len(0).and_then(|()| (&*lock.file).write_all(text.as_bytes()));
        noted.map_err(FileError::io("write", path))?;
        Ok(Ok(lock))
    }

    /// Waits for the lock.
    pub(crate) fn take(path: &Path) -> Result<Self, FileError> {
        if let Some(parent) = path.parent() {
            durable::create_dir(parent)?;
        }
        loop {
            let file = open(path).map_err(FileError::io("open lock", path))?;
            match Flock::lock(file, FlockArg::LockExclusive) {
                // a lock file that was removed while we waited guards nothing
                Ok(file) if is_current(&file, path) => return Ok(Self { file }),
                Ok(_) | Err((_, nix::Error::EINTR)) => {}
                Err((_, errno)) => return Err(FileError::io("lock", path)(errno.into())),
            }
        }
    }

    /// Returns the file that is locked.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Returns the descriptor whose copies hold the lock too.
    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Takes the lock if nobody holds it.
    pub(crate) fn try_take(path: &Path) -> Result<Option<Self>, FileError> {
        if let Some(parent) = path.parent() {
            durable::create_dir(parent)?;
        }
        let file = open(path).map_err(FileError::io("open lock", path))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(file) if is_current(&file, path) => Ok(Some(Self { file })),
            Ok(_) | Err((_, nix::Error::EWOULDBLOCK | nix::Error::EINTR)) => Ok(None),
            Err((_, errno)) => Err(FileError::io("lock", path)(errno.into())),
        }
    }
}

/// Tells whether somebody holds the lock; one that cannot be looked at is nobody's.
pub(crate) fn is_held(path: &Path) -> bool {
    let held = |file| matches!(Flock::lock(file, FlockArg::LockSharedNonblock), Err((_, nix::Error::EWOULDBLOCK)));
    File::open(path).is_ok_and(held)
}

fn holder(path: &Path) -> Option<Holder> {
    let pid: i32 = fs::read_to_string(path).ok()?.trim().parse().ok()?;
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let command = String::from_utf8_lossy(&words).replace('\0', " ").trim().to_owned();
    Some(Holder { pid, command })
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(libc::O_CLOEXEC)
        .open(path)
}

fn is_current(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(held), Ok(named)) => held.ino() == named.ino() && held.dev() == named.dev(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_holds_a_lock_is_told_to_the_next_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("project-x");
        let first = Lock::take_or_holder(&path).unwrap().unwrap();
        let holder = Lock::take_or_holder(&path).unwrap().unwrap_err().unwrap();
        assert_eq!(holder.pid.unsigned_abs(), std::process::id());
        assert!(holder.to_string().contains("`"), "{holder}");
        assert!(is_held(&path));
        drop(first);
        assert!(!is_held(&path) && !is_held(&dir.path().join("none")));
        assert!(Lock::take_or_holder(&path).unwrap().is_ok());
    }
}
