//! Reading and replacing whole files. Any process.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StateError;

/// Makes a directory and those above it, for root alone.
pub(super) fn ensure_directory(path: &Path) -> Result<(), StateError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(StateError::file("create", path))
}

/// Reads a file; `None` when there is none.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, StateError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StateError::file("read", path)(error)),
    };
    let content = |source| StateError::Content { path: path.to_owned(), source };
    serde_json::from_slice(&bytes).map(Some).map_err(content)
}

/// Writes a file that shall survive a power cut; the caller renames its directory into place.
pub(super) fn write_durable<T: Serialize>(path: &Path, value: &T) -> Result<(), StateError> {
    write_new(path, value, File::sync_all)
}

/// Writes or replaces a file that shall survive a power cut.
pub(super) fn replace_durable<T: Serialize>(path: &Path, value: &T) -> Result<(), StateError> {
    replace(path, value, File::sync_all)?;
    path.parent().map_or(Ok(()), sync_directory)
}

/// Writes or replaces a file below the run directory, which does not outlive the boot: no fsync.
pub(crate) fn write_run_file<T: Serialize>(path: &Path, value: &T) -> Result<(), StateError> {
    replace(path, value, |_| Ok(()))
}

fn replace<T: Serialize>(
    path: &Path,
    value: &T,
    settle: impl FnOnce(&File) -> io::Result<()>,
) -> Result<(), StateError> {
    if let Some(directory) = path.parent() {
        ensure_directory(directory)?;
    }
    // The lock is held by whoever writes, so one name for what is not yet complete is enough.
    let temporary = path.with_file_name(".incomplete");
    remove_file(&temporary)?;
    write_new(&temporary, value, settle)?;
    fs::rename(&temporary, path).map_err(StateError::file("write", path))
}

fn write_new<T: Serialize>(
    path: &Path,
    value: &T,
    settle: impl FnOnce(&File) -> io::Result<()>,
) -> Result<(), StateError> {
    let mut bytes =
        serde_json::to_vec_pretty(value).map_err(|source| StateError::Content { path: path.to_owned(), source })?;
    bytes.push(b'\n');
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).and_then(|mut file| {
        file.write_all(&bytes)?;
        settle(&file)
    });
    written.map_err(StateError::file("write", path))
}

/// Makes the names in a directory durable.
pub(super) fn sync_directory(path: &Path) -> Result<(), StateError> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(StateError::file("sync", path))
}

/// Removes a file; succeeds when there is none.
pub(crate) fn remove_file(path: &Path) -> Result<(), StateError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(StateError::file("delete", path)(error)),
        _ => Ok(()),
    }
}

/// Returns the names in a directory that do not start with a dot, sorted; none when there is no such directory.
pub(crate) fn directory_names(path: &Path) -> Result<Vec<String>, StateError> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StateError::file("list", path)(error)),
    };
    let names = entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<Result<Vec<_>, _>>();
    let names = names.map_err(StateError::file("list", path))?;
    let mut names: Vec<_> = names.iter().filter_map(|name| name.to_str()).map(str::to_owned).collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    Ok(names)
}

/// Returns whether a directory has a name that does not start with a dot.
pub(super) fn has_names(path: &Path) -> Result<bool, StateError> {
    let is_shown =
        |entry: io::Result<fs::DirEntry>| entry.map(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."));
    match fs::read_dir(path) {
        Ok(entries) => {
            let shown = entries.map(is_shown).find(|shown| !matches!(shown, Ok(false)));
            shown.unwrap_or(Ok(false)).map_err(StateError::file("list", path))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StateError::file("list", path)(error)),
    }
}

/// Returns the names of the `.json` files in a directory, without the ending.
pub(super) fn record_names(directory: &Path) -> Result<Vec<String>, StateError> {
    let names = directory_names(directory)?;
    let stem = |name: &String| Path::new(name).file_stem().and_then(OsStr::to_str).map(str::to_owned);
    Ok(names.iter().filter(|name| name.ends_with(".json")).filter_map(stem).collect())
}
