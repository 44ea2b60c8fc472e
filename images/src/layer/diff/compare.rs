//! What a whole copy of an image's files has that the image has not, where overlayfs could not tell.
//!
//! Runs in the shell command's process. A file is the same if its kind, mode, owner, size, time, target, device and
//! attributes are: as Docker compares where its storage keeps no record. The copy was made with times to the nanosecond.

use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd};

use nix::fcntl::{OFlag, readlinkat};
use nix::sys::stat::{FileStat, SFlag, fstat};

use super::super::tar::Kind;
use super::super::unpack::{Below, BelowError, Found, kind, open_directory, restorable_xattrs, status};
use super::DiffError;
use super::walk::{Name, WHITEOUT, Walk, entry, join, names};

impl<W: Write> Walk<'_, W> {
    /// Writes what differs between `directory` and what the layers below show there. A directory in which something
    /// differs is written before it, and one in which nothing does not at all.
    pub(super) fn compare(&mut self, directory: BorrowedFd<'_>, path: &[u8], below: &Below) -> Result<(), DiffError> {
        let at = |source| super::walk::failed(path, "list", source);
        let mut all = names(directory).map_err(at)?;
        all.extend(below.names().map_err(lower(path))?);
        all.sort();
        all.dedup();
        for name in all {
            let name = Name { parent: directory, name: &name, path: join(path, &name) };
            self.compare_child(&name, below)?;
        }
        Ok(())
    }

    fn compare_child(&mut self, name: &Name<'_>, below: &Below) -> Result<(), DiffError> {
        let here = status(name.parent, name.name).map_err(|source| name.failed("look at", source))?;
        let there = below.find(name.name).map_err(lower(&name.path))?;
        match (here, there) {
            (None, None) => Ok(()),
            (None, Some(_)) => self.mark(&name.path, &[WHITEOUT, name.name].concat()),
            (Some(here), _) if self.is_placeholder(name, &here) => Ok(()),
            (Some(here), Some(Found::Directory(there, below))) if kind(&here) == SFlag::S_IFDIR => {
                self.compare_directory(name, &there, &below)
            }
            (Some(here), Some(Found::File(there))) if is_same(name, (&here, &there), below)? => Ok(()),
            (Some(_), _) => self.child(name),
        }
    }

    fn compare_directory(&mut self, name: &Name<'_>, there: &FileStat, below: &Below) -> Result<(), DiffError> {
        let directory = open_directory(name.parent, name.name, OFlag::O_RDONLY)
            .map_err(|source| name.failed("open directory", source))?;
        let here = fstat(&directory).map_err(|errno| name.failed("look at", errno))?;
        let mut new = entry([&name.path, &b"/"[..]].concat(), Kind::Directory, &here);
        let read = |source| name.failed("read the attributes of", source);
        new.xattrs = restorable_xattrs(directory.as_fd(), b"").map_err(read)?;
        let depth = self.pending.len();
        self.pending.push(new);
        if !has_same_owner_and_mode(&here, there) || modified(&here) != modified(there) {
            self.write_pending()?;
        }
        self.descend(name, |walk| walk.compare(directory.as_fd(), &name.path, below))?;
        self.pending.truncate(depth);
        Ok(())
    }
}

fn is_same(name: &Name<'_>, (here, there): (&FileStat, &FileStat), below: &Below) -> Result<bool, DiffError> {
    let is_alike = kind(here) == kind(there)
        && has_same_owner_and_mode(here, there)
        && modified(here) == modified(there)
        && here.st_size == there.st_size
        && here.st_rdev == there.st_rdev;
    let Some(holder) = below.holder(name.name).map_err(lower(&name.path))?.filter(|_| is_alike) else {
        return Ok(false);
    };
    if kind(here) == SFlag::S_IFLNK {
        let link = |at: BorrowedFd<'_>| readlinkat(at, name.name).map_err(|errno| name.failed("read the link", errno));
        return Ok(link(name.parent)? == link(holder.as_fd())?);
    }
    let xattrs = |at: BorrowedFd<'_>| {
        restorable_xattrs(at, name.name).map_err(|source| name.failed("read the attributes of", source))
    };
    Ok(xattrs(name.parent)? == xattrs(holder.as_fd())?)
}

fn has_same_owner_and_mode(here: &FileStat, there: &FileStat) -> bool {
    (here.st_mode, here.st_uid, here.st_gid) == (there.st_mode, there.st_uid, there.st_gid)
}

fn modified(stat: &FileStat) -> (i64, i64) {
    (stat.st_mtime, stat.st_mtime_nsec)
}

fn lower(path: &[u8]) -> impl Fn(BelowError) -> DiffError {
    let path = path.to_owned();
    move |error| match error {
        BelowError::Io(source) => super::walk::failed(&path, "look in the image for", source),
        BelowError::Needed => super::walk::failed(&path, "look in the image for", std::io::Error::other(error)),
    }
}
