//! What containers and volumes take on the disk.
//!
//! Runs in the command. The directories belong to containers that may be running: every name is opened from the directory
//! that lists it, following no link.

use std::collections::HashSet;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat};
use nix::sys::stat::{Mode, SFlag, fstatat};

use crate::{Container, Engine, Volume};

const DIRECTORY: OFlag = OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

impl Engine {
    /// Returns how many bytes a container's own files take: what it has changed (or a copy of everything), and its logs.
    ///
    /// # Errors
    /// A directory cannot be read; one that is gone counts as nothing.
    pub fn container_size(&self, container: &Container) -> io::Result<u64> {
        Ok(self.changes_size(container)? + size(&container.paths.logs())?)
    }

    /// Returns how many bytes a container's changes (or a copy of everything) take.
    ///
    /// # Errors
    /// As [`Engine::container_size`].
    pub fn changes_size(&self, container: &Container) -> io::Result<u64> {
        [container.paths.upper(), container.paths.copy()].iter().map(|path| size(path)).sum()
    }

    /// Returns how many bytes a volume's content takes.
    ///
    /// # Errors
    /// As [`Engine::container_size`].
    pub fn volume_size(&self, volume: &Volume) -> io::Result<u64> {
        size(&volume.mountpoint)
    }
}

/// Adds up what the regular files below a directory take, each file once.
fn size(directory: &Path) -> io::Result<u64> {
    match open(directory, DIRECTORY, Mode::empty()) {
        Ok(directory) => sum(directory.as_fd(), &mut HashSet::new()),
        Err(Errno::ENOENT) => Ok(0),
        Err(errno) => Err(errno.into()),
    }
}

fn sum(directory: BorrowedFd<'_>, seen: &mut HashSet<(u64, u64)>) -> io::Result<u64> {
    let listed: OwnedFd = openat(directory, ".", DIRECTORY, Mode::empty())?;
    let mut bytes = 0;
    for entry in Dir::from_fd(listed)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let Ok(status) = fstatat(directory, name, AtFlags::AT_SYMLINK_NOFOLLOW) else { continue };
        match SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT {
            SFlag::S_IFDIR => {
                // gone or replaced meanwhile: nothing
                if let Ok(below) = openat(directory, name, DIRECTORY, Mode::empty()) {
                    bytes += sum(below.as_fd(), seen)?;
                }
            }
            SFlag::S_IFREG if status.st_nlink == 1 || seen.insert((status.st_dev, status.st_ino)) => {
                bytes += status.st_blocks as u64 * 512;
            }
            _ => {}
        }
    }
    Ok(bytes)
}
