//! The directory a layer is unpacked into, and the only ways its files are reached.
//!
//! Runs in the shell command's process, in a layer's extracting thread. Directories are opened from the root's file
//! descriptor with openat2(2) and `RESOLVE_IN_ROOT`: the kernel follows the layer's own symbolic links as if the layer
//! were the whole file system, so neither `..` nor an absolute link leads out. Everything else names one entry of an open
//! directory and follows no link.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::{FileStat, Mode, SFlag, fstatat, major};
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::remove_tree::remove_tree_at;
use crate::sys::xattr;

/// Directories kept open; entries of a layer come grouped by directory, so a few suffice.
const MOST_OPEN: usize = 64;

/// The attribute by which overlayfs hides a directory's content in lower layers (kernel overlayfs.rst).
const OPAQUE: &[u8] = b"trusted.overlay.opaque";

/// The same where overlayfs' own attributes cannot be set, as on overlayfs; only we know it.
const OWN_OPAQUE: &[u8] = b"trusted.lighter.opaque";

/// The directory being filled.
pub(super) struct Tree {
    root: OwnedFd,
    open: HashMap<Vec<u8>, Rc<Directory>>,
}

/// An open directory of the tree.
pub(super) struct Directory {
    /// Opened with `O_PATH`.
    pub(super) fd: OwnedFd,
    /// A clean path that leads here within the tree.
    pub(super) path: Vec<u8>,
}

impl Directory {
    /// Returns the clean path of an entry.
    pub(super) fn path_of(&self, name: &[u8]) -> Vec<u8> {
        if self.path.is_empty() { name.to_vec() } else { [&self.path, &b"/"[..], name].concat() }
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Tree {
    /// Takes the (empty) directory to fill.
    pub(super) fn new(root: OwnedFd) -> Tree {
        Tree { root, open: HashMap::new() }
    }

    /// Returns the root as a directory.
    pub(super) fn root(&self) -> io::Result<Directory> {
        Ok(Directory { fd: self.root.try_clone()?, path: Vec::new() })
    }

    /// Opens the directory at a clean path, following the layer's links.
    pub(super) fn directory(&mut self, path: &[u8]) -> io::Result<Rc<Directory>> {
        if let Some(directory) = self.open.get(path) {
            return Ok(Rc::clone(directory));
        }
        let fd = self.resolve(path, OFlag::O_PATH | OFlag::O_DIRECTORY)?;
        Ok(self.keep(path, Directory { fd, path: path.to_vec() }))
    }

    /// Keeps an open directory for the next time `path` is asked for.
    pub(super) fn keep(&mut self, path: &[u8], directory: Directory) -> Rc<Directory> {
        if self.open.len() >= MOST_OPEN {
            self.open.clear();
        }
        let directory = Rc::new(directory);
        self.open.insert(path.to_vec(), Rc::clone(&directory));
        directory
    }

    /// Opens a directory itself, not what a link at its place points to, for setting its times.
    pub(super) fn directory_itself(&self, path: &[u8]) -> io::Result<OwnedFd> {
        self.resolve(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW)
    }

    /// Removes `name`, a whole tree if it is a directory, to make room for another entry of that name.
    pub(super) fn displace(&mut self, parent: &Directory, name: &[u8]) -> io::Result<()> {
        // Any path through it may now lead elsewhere.
        self.open.clear();
        match unlinkat(parent, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) => Ok(()),
            Err(Errno::EISDIR) => remove_tree_at(parent.as_fd(), name),
            Err(errno) => Err(errno.into()),
        }
    }

    fn resolve(&self, path: &[u8], flags: OFlag) -> io::Result<OwnedFd> {
        let path = if path.is_empty() { b"." } else { path };
        let resolve = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
        let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC).resolve(resolve);
        loop {
            match openat2(&self.root, path, how) {
                // openat2(2): a rename elsewhere raced with `..`; the answer may differ next time.
                Err(Errno::EAGAIN) => {}
                result => return Ok(result?),
            }
        }
    }
}

/// Opens a directory entry that is known to be a directory.
pub(crate) fn open_directory(parent: impl AsFd, name: &[u8], access: OFlag) -> io::Result<OwnedFd> {
    let flags = access | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    Ok(openat(parent, name, flags, Mode::empty())?)
}

/// Returns the status of an entry, `None` if there is none.
pub(crate) fn status(parent: impl AsFd, name: &[u8]) -> io::Result<Option<FileStat>> {
    match fstatat(parent, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::ENOENT) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Returns the kind of a file.
pub(crate) fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT
}

/// Tells whether a file is what overlayfs takes for "removed here", a character device 0:0, or our own mark, 0:1. No kernel
/// has character devices of major number 0.
pub(crate) fn is_whiteout(stat: &FileStat) -> bool {
    kind(stat) == SFlag::S_IFCHR && major(stat.st_rdev) == 0
}

/// Hides what lower layers have in the directory `name` of `parent` (or, without a name, in `parent`).
pub(super) fn make_opaque(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
    match xattr::set_at(parent, name, OPAQUE, b"y") {
        Err(error) if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EPERM)) => {
            xattr::set_at(parent, name, OWN_OPAQUE, b"y")
        }
        result => result,
    }
}

/// Tells whether the directory `name` of `parent` (or, without a name, `parent`) hides what lower layers have there.
pub(crate) fn is_opaque(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<bool> {
    for mark in [OPAQUE, OWN_OPAQUE] {
        if xattr::get_at(parent, name, mark)?.as_deref() == Some(b"y") {
            return Ok(true);
        }
    }
    Ok(false)
}
