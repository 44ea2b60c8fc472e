//! Files that appear whole or not at all.
//!
//! Runs in the shell command's process.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::error::{Context, StoreError};

/// Makes a directory for root alone, and those above it; one that exists is left as it is.
pub(crate) fn ensure_directory(path: &Path) -> Result<(), StoreError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).context("create directory", path)
}

/// Replaces `path` by a file with `content`: temporary file, fsync, rename, fsync of the directory.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), StoreError> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    let temporary = directory.join(format!(".new-{}", random_name()));
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        File::open(directory)?.sync_all()
    };
    write().context("write", path).inspect_err(|_| {
        // If it cannot even be removed, the first error still says more.
        let _ = fs::remove_file(&temporary);
    })
}

/// Reads a file of at most `limit` bytes; `None` if there is none.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, StoreError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        result => result.context("open", path)?,
    };
    let mut content = Vec::new();
    file.take(limit + 1).read_to_end(&mut content).context("read", path)?;
    if content.len() as u64 > limit {
        return Err(StoreError::Damaged { path: path.to_owned(), why: format!("it is longer than {limit} bytes") });
    }
    Ok(Some(content))
}

/// Removes a file; one that is gone already is as good.
pub(crate) fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).context("remove", path),
        _ => Ok(()),
    }
}

/// Removes a directory and what is in it, however deep, following no link; one that is gone already is as good.
pub(crate) fn remove_tree(path: &Path) -> Result<(), StoreError> {
    crate::remove_tree::remove_tree(path).context("remove", path)
}

/// Lists the names in a directory; those that are no UTF-8 are none of ours.
pub(crate) fn names(path: &Path) -> Result<Vec<String>, StoreError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path).context("list", path)? {
        names.extend(entry.context("list", path)?.file_name().into_string().ok());
    }
    Ok(names)
}

/// Opens (and makes) a file to lock.
pub(crate) fn open_lock_file(path: &Path) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options.open(path).context("open", path)
}

/// Waits for the lock of an open file: flock(2), which ends with the process whatever happens to it.
pub(crate) fn lock(file: File, path: &Path) -> Result<Flock<File>, StoreError> {
    let mut file = file;
    loop {
        match Flock::lock(file, FlockArg::LockExclusive) {
            Ok(lock) => return Ok(lock),
            Err((unlocked, Errno::EINTR)) => file = unlocked,
            Err((_, errno)) => return Err(errno).context("lock", path),
        }
    }
}

/// Takes the lock of a file unless somebody has it, or the file is gone.
pub(crate) fn try_lock(path: &Path) -> Result<Option<Flock<File>>, StoreError> {
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        file => match Flock::lock(file.context("open", path)?, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Some(lock)),
            Err((_, Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, errno)) => Err(errno).context("lock", path),
        },
    }
}

/// Returns a name that nobody else uses: 64 random bits.
pub(crate) fn random_name() -> String {
    // Without random numbers (a kernel just booted), the process and a counter are unique on this host.
    static COUNTER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let count = COUNTER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let fallback = u64::from(std::process::id()) << 32 | u64::from(count);
    format!("{:016x}", getrandom::u64().unwrap_or(fallback))
}
