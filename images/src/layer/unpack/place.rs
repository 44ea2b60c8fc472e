//! Puts one entry into an open directory.
//!
//! Runs in the shell command's process, in a layer's extracting thread. A regular file is created under its name with
//! `O_EXCL`, so nothing that stands there already (a FIFO, a device, a link) is ever opened.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, SFlag, makedev, mknodat};
use nix::unistd::symlinkat;

use super::super::tar::{Device, Entry, Kind, Reader, TarError};
use super::attributes::Attributes;
use super::tree::Directory;

/// Creates a regular file that was not there.
pub(super) fn create(parent: &Directory, name: &[u8]) -> io::Result<File> {
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    Ok(openat(parent, name, flags, Mode::S_IRUSR | Mode::S_IWUSR)?.into())
}

/// Makes a link, device or pipe that was not there, with its attributes.
pub(super) fn create_special(parent: &Directory, name: &[u8], entry: &Entry) -> io::Result<()> {
    let node = |kind: SFlag, device: Device| {
        let number = makedev(u64::from(device.major), u64::from(device.minor));
        mknodat(parent, name, kind, Mode::S_IRUSR | Mode::S_IWUSR, number)
    };
    match entry.kind {
        Kind::Symlink => symlinkat(OsStr::from_bytes(&entry.link), parent, name)?,
        Kind::CharDevice(device) => node(SFlag::S_IFCHR, device)?,
        Kind::BlockDevice(device) => node(SFlag::S_IFBLK, device)?,
        Kind::Fifo => node(SFlag::S_IFIFO, Device { major: 0, minor: 0 })?,
        Kind::Regular | Kind::Directory | Kind::HardLink => return Err(io::ErrorKind::InvalidInput.into()),
    }
    Attributes::of(entry).apply_at(parent.as_fd(), name, entry.kind == Kind::Symlink)
}

/// Makes the mark by which overlayfs hides `name` of lower layers; where that is refused, as on overlayfs itself, one that only
/// we know. There layers are copied, not stacked.
pub(super) fn create_whiteout(parent: &Directory, name: &[u8]) -> io::Result<()> {
    let mark = |minor| mknodat(parent, name, SFlag::S_IFCHR, Mode::empty(), makedev(0, minor));
    match mark(0) {
        Err(Errno::EPERM) => Ok(mark(1)?),
        result => Ok(result?),
    }
}

/// Why content could not be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    /// The archive cannot be read on.
    #[error(transparent)]
    Archive(#[from] TarError),
    /// The file cannot be written.
    #[error(transparent)]
    File(#[from] io::Error),
}

/// Writes the current entry's content into `file`, leaving holes where it has them.
pub(super) fn write_content<R: BufRead>(
    mut file: &File,
    entry: &Entry,
    archive: &mut Reader<R>,
) -> Result<(), WriteError> {
    let Some(map) = &entry.sparse else { return copy(file, entry.size, archive) };
    file.set_len(map.size)?;
    for (offset, length) in &map.pieces {
        file.seek(SeekFrom::Start(*offset))?;
        copy(file, *length, archive)?;
    }
    Ok(())
}

/// Copies `length` bytes straight out of the reader's buffer.
fn copy<R: BufRead>(mut file: &File, mut length: u64, archive: &mut Reader<R>) -> Result<(), WriteError> {
    while length > 0 {
        let chunk = archive.chunk()?;
        let chunk = &chunk[..chunk.len().min(usize::try_from(length).unwrap_or(usize::MAX))];
        file.write_all(chunk)?;
        let written = chunk.len();
        archive.consume(written);
        length -= written as u64;
    }
    Ok(())
}
