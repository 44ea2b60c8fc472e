//! Room that is kept for the index, so that images can be removed from a full disk: even a shorter index needs some until it has
//! taken the place of the old one.
//!
//! Runs in the shell command's process, which holds the store's lock.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The least that is kept, in bytes: an index of some two hundred images.
const LEAST: u64 = 128 << 10;

fn path(images: &Path) -> PathBuf {
    images.join(".reserve")
}

/// Keeps room for an index of this length; on a disk that is full already, there is none to keep.
pub(super) fn keep(images: &Path, length: usize) {
    let wanted = LEAST.max(2 * length as u64);
    if fs::metadata(path(images)).is_ok_and(|kept| kept.len() >= wanted) {
        return;
    }
    if fill(&path(images), wanted).is_err() {
        give_back(images);
    }
}

/// Zeros are written: not every file system can set room aside otherwise.
fn fill(path: &Path, length: u64) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(&vec![0; usize::try_from(length).unwrap_or(usize::MAX)])
}

/// Gives the room back; returns whether there was any.
pub(super) fn give_back(images: &Path) -> bool {
    fs::remove_file(path(images)).is_ok()
}
