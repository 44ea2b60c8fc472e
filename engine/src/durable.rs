//! Files that are whole or absent: temporary file, fsync, rename. Runs in the command and in the monitor.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A state file that could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file system refused.
    #[error("{act} `{path}`")]
    Io {
        /// `read`, `write`, …
        act: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is not what lighter writes.
    #[error("read `{path}`: damaged")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where and how.
        #[source]
        source: serde_json::Error,
    },
    /// A newer lighter wrote the file.
    #[error("read `{path}`: written by a newer lighter (format {version}): use that one")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        version: u32,
    },
}

impl FileError {
    /// Returns whether nothing can be written there now: the disk is full, or may only be read.
    pub(crate) fn is_want_of_room(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        matches!(self, Self::Io { source, .. } if matches!(source.kind(), StorageFull | QuotaExceeded | ReadOnlyFilesystem))
    }

    pub(crate) fn io(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { act, path, source }
    }
}

/// Replaces `path` with `value` as JSON; after a crash it holds the old or the new value, never a part.
///
/// Mode 0600. With `durable` it is on the disk when this returns.
pub(crate) fn write_json<T: Serialize>(path: &Path, value: &T, durable: bool) -> Result<(), FileError> {
    let mut text = serde_json::to_vec_pretty(value).expect("state types have string keys and no failing serialiser");
    text.push(b'\n');
    write(path, &text, 0o600, durable)
}

/// Replaces `path` with `bytes`.
pub(crate) fn write(path: &Path, bytes: &[u8], mode: u32, durable: bool) -> Result<(), FileError> {
    let temporary = temporary_name(path);
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
        file.write_all(bytes)?;
        // umask must not take away what a container's other users need to read
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))?;
        if durable {
            file.sync_all()?;
        }
        fs::rename(&temporary, path)?;
        if durable { sync_parent(path) } else { Ok(()) }
    })();
    written.map_err(|source| {
        let _ = fs::remove_file(&temporary);
        FileError::io("write", path)(source)
    })
}

/// Makes the latest renames in the directory of `path` survive a power loss.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

/// Reads JSON; `None` if the file is absent.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, FileError> {
    match read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|source| FileError::Damaged { path: path.to_owned(), source }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(FileError::io("read", path)(source)),
    }
}

/// Reads a file whole: a small one with one call, as every command reads one for each container.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    const USUAL: usize = 8192;
    let mut file = File::open(path)?;
    let mut bytes = vec![0; USUAL];
    let length = file.read(&mut bytes)?;
    bytes.truncate(length);
    if length == USUAL {
        file.read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// Makes a directory and its parents, closed to everybody but root.
pub(crate) fn create_dir(path: &Path) -> Result<(), FileError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(FileError::io("create directory", path))
}

/// Removes a file; absent is success.
pub(crate) fn remove_file(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FileError::io("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Removes a tree without following links or crossing mounts; absent is success.
pub(crate) fn remove_tree(path: &Path) -> Result<(), FileError> {
    crate::remove_tree::remove_tree(path).map_err(FileError::io("remove", path))
}

fn temporary_name(path: &Path) -> PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let serial = COUNTER.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.{serial}", std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_reads_back_and_replaces_the_old_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.json");
        assert_eq!(read_json::<u32>(&path).unwrap(), None);
        write_json(&path, &1, true).unwrap();
        write_json(&path, &2, true).unwrap();
        assert_eq!(read_json::<u32>(&path).unwrap(), Some(2));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_damaged_file_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.json");
        fs::write(&path, b"{").unwrap();
        assert!(read_json::<u32>(&path).unwrap_err().to_string().contains("x.json"));
    }
}
