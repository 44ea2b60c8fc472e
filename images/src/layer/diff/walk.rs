//! From directory to directory, in the order of names.
//!
//! Runs in the shell command's process. One descriptor is open for each level, and there is an end to them: directories are
//! moved into one another without any, and neither stack nor descriptors must run out.

use std::collections::HashMap;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, major, minor};

use super::super::tar::{Device, Entry, Kind, Timestamp, Writer};
use super::super::unpack::{
    Xattrs, is_opaque, is_whiteout, kind, open_directory, restorable_of_file, restorable_xattrs, status,
};
use super::file::Content;
use super::{DiffError, Form, Selection};
use crate::sys::xattr;
use crate::{DEEPEST, TOO_DEEP, regular_file};

/// Prefix of the name that marks a removed file (layer.md, "Whiteouts").
pub(super) const WHITEOUT: &[u8] = b".wh.";

/// Name that marks a directory whose lower content is hidden (layer.md, "Opaque Whiteout").
const OPAQUE: &[u8] = b".wh..wh..opq";

/// Attributes by which overlayfs says that the rest of a file or directory is elsewhere, below another name
/// (kernel overlayfs.rst, "redirect_dir", "metacopy").
const ELSEWHERE: [&[u8]; 2] = [b"trusted.overlay.redirect", b"trusted.overlay.metacopy"];

/// A directory being written.
pub(super) struct Walk<'a, W> {
    selection: &'a Selection<'a>,
    writer: Writer<W>,
    /// The first path of each file that has several names.
    links: HashMap<(u64, u64), Vec<u8>>,
    entries: u64,
    /// Directories that are written once something in them is.
    pub(super) pending: Vec<Entry>,
    /// Levels below the root.
    depth: usize,
}

/// One name in an open directory.
pub(super) struct Name<'a> {
    pub(super) parent: BorrowedFd<'a>,
    pub(super) name: &'a [u8],
    /// Its path below the root.
    pub(super) path: Vec<u8>,
}

impl Name<'_> {
    pub(super) fn failed(&self, act: &'static str, source: impl Into<io::Error>) -> DiffError {
        failed(&self.path, act, source.into())
    }

    fn unsayable(&self, why: &'static str) -> DiffError {
        DiffError::Unsayable { path: shown(&self.path), why }
    }
}

impl<'a, W: Write> Walk<'a, W> {
    pub(super) fn new(selection: &'a Selection<'a>, out: W) -> Walk<'a, W> {
        Walk { selection, writer: Writer::new(out), links: HashMap::new(), entries: 0, pending: Vec::new(), depth: 0 }
    }

    /// Writes the root and everything below it.
    pub(super) fn root(&mut self, root: OwnedFd) -> Result<(), DiffError> {
        let at = |source: io::Error| failed(b".", "read", source);
        let stat = fstat(&root).map_err(|errno| at(errno.into()))?;
        let xattrs = restorable_xattrs(root.as_fd(), b"").map_err(at)?;
        self.write(&Entry { xattrs, ..entry(b"./".to_vec(), Kind::Directory, &stat) })?;
        self.entries = 0;
        match self.selection.below {
            Some(below) => self.compare(root.as_fd(), b"", below),
            None => self.content_of(root.as_fd(), b""),
        }
    }

    pub(super) fn finish(self) -> Result<u64, DiffError> {
        let mut out = self.writer.finish().map_err(DiffError::Write)?;
        out.flush().map_err(DiffError::Write)?;
        Ok(self.entries)
    }

    fn content_of(&mut self, directory: BorrowedFd<'_>, path: &[u8]) -> Result<(), DiffError> {
        for name in names(directory).map_err(|source| failed(path, "list", source))? {
            self.child(&Name { parent: directory, name: &name, path: join(path, &name) })?;
        }
        Ok(())
    }

    /// Writes one name; one that has gone since it was listed is gone.
    pub(super) fn child(&mut self, name: &Name<'_>) -> Result<(), DiffError> {
        match self.listed_child(name) {
            // Until its header is written, nothing has been said of it.
            Err(DiffError::Entry { source, .. })
                if source.raw_os_error() == Some(libc::ENOENT)
                    && matches!(status(name.parent, name.name), Ok(None)) =>
            {
                Ok(())
            }
            result => result,
        }
    }

    fn listed_child(&mut self, name: &Name<'_>) -> Result<(), DiffError> {
        let Some(stat) = status(name.parent, name.name).map_err(|source| name.failed("look at", source))? else {
            return Ok(());
        };
        if self.is_placeholder(name, &stat) {
            return Ok(());
        }
        if self.selection.form == Form::Layer {
            self.check(name)?;
            if is_whiteout(&stat) {
                return self.mark(&name.path, &[WHITEOUT, name.name].concat());
            }
        }
        let special = |stat: &FileStat| Device { major: major(stat.st_rdev) as u32, minor: minor(stat.st_rdev) as u32 };
        match kind(&stat) {
            SFlag::S_IFDIR => self.directory(name),
            SFlag::S_IFREG => self.file(name),
            SFlag::S_IFLNK => self.symlink(name, &stat),
            SFlag::S_IFCHR => self.special(name, Kind::CharDevice(special(&stat)), &stat),
            SFlag::S_IFBLK => self.special(name, Kind::BlockDevice(special(&stat)), &stat),
            SFlag::S_IFIFO => self.special(name, Kind::Fifo, &stat),
            // A socket is nothing without the process that listens; no archive has them.
            _ => Ok(()),
        }
    }

    /// Refuses what a layer would say wrongly.
    fn check(&self, name: &Name<'_>) -> Result<(), DiffError> {
        if name.name.starts_with(WHITEOUT) {
            return Err(name.unsayable("names that begin with `.wh.` mark removed files there"));
        }
        Ok(())
    }

    /// Reads the attributes of an open file or directory, with one call where there are none.
    fn xattrs(&self, name: &Name<'_>, file: BorrowedFd<'_>) -> Result<Xattrs, DiffError> {
        let read = |source| name.failed("read the attributes of", source);
        let names = xattr::list(file).map_err(read)?;
        if self.selection.form == Form::Layer && names.iter().any(|name| ELSEWHERE.contains(&name.as_slice())) {
            return Err(name.unsayable("overlayfs keeps a part of it in a lower layer under another name"));
        }
        restorable_of_file(file, names).map_err(read)
    }

    pub(super) fn is_placeholder(&self, name: &Name<'_>, stat: &FileStat) -> bool {
        if !self.selection.placeholders.contains(&name.path) {
            return false;
        }
        match kind(stat) {
            SFlag::S_IFREG => stat.st_size == 0,
            SFlag::S_IFDIR => {
                let directory = open_directory(name.parent, name.name, OFlag::O_RDONLY);
                directory
                    .and_then(|directory| self.has_placeholders_only(directory.as_fd(), &name.path))
                    .unwrap_or(false)
            }
            _ => false,
        }
    }

    fn has_placeholders_only(&self, directory: BorrowedFd<'_>, path: &[u8]) -> io::Result<bool> {
        if self.selection.form == Form::Layer && is_opaque(directory, b"")? {
            return Ok(false);
        }
        for name in names(directory)? {
            let Some(stat) = status(directory, &name)? else { continue };
            if !self.is_placeholder(&Name { parent: directory, name: &name, path: join(path, &name) }, &stat) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Goes one level down.
    pub(super) fn descend(
        &mut self,
        name: &Name<'_>,
        inside: impl FnOnce(&mut Self) -> Result<(), DiffError>,
    ) -> Result<(), DiffError> {
        if self.depth == DEEPEST {
            return Err(name.failed("go into", io::Error::other(TOO_DEEP)));
        }
        self.depth += 1;
        let done = inside(self);
        self.depth -= 1;
        done
    }

    fn directory(&mut self, name: &Name<'_>) -> Result<(), DiffError> {
        let directory = open_directory(name.parent, name.name, OFlag::O_RDONLY)
            .map_err(|source| name.failed("open directory", source))?;
        let stat = fstat(&directory).map_err(|errno| name.failed("look at", errno))?;
        let read = |source| name.failed("read the attributes of", source);
        let xattrs = self.xattrs(name, directory.as_fd())?;
        let path = [&name.path, &b"/"[..]].concat();
        self.write(&Entry { xattrs, ..entry(path, Kind::Directory, &stat) })?;
        if self.selection.form == Form::Layer && is_opaque(directory.as_fd(), b"").map_err(read)? {
            self.mark(&join(&name.path, OPAQUE), OPAQUE)?;
        }
        self.descend(name, |walk| walk.content_of(directory.as_fd(), &name.path))
    }

    fn file(&mut self, name: &Name<'_>) -> Result<(), DiffError> {
        let file = regular_file::open(name.parent, name.name).map_err(|error| name.failed("open", error))?;
        let file = file.ok_or_else(|| name.failed("open", Errno::ESTALE))?; // swapped meanwhile
        let stat = fstat(&file).map_err(|errno| name.failed("look at", errno))?;
        let xattrs = self.xattrs(name, file.as_fd())?;
        let mut new = Entry { xattrs, ..entry(name.path.clone(), Kind::Regular, &stat) };
        if stat.st_nlink > 1
            && let Some(first) = self.link(&stat, &name.path)
        {
            return self.write(&Entry { kind: Kind::HardLink, link: first, ..new });
        }
        if !self.selection.has_content {
            return self.write(&new);
        }
        let content = Content::of(file, &stat).map_err(|source| name.failed("read", source))?;
        (new.size, new.sparse) = (content.stored(), content.sparse());
        self.write(&new)?;
        let failed = |source| name.failed("read", source);
        content.copy(&mut self.writer, failed)
    }

    /// Returns the path under which the file was written already; else this one is the first.
    fn link(&mut self, stat: &FileStat, path: &[u8]) -> Option<Vec<u8>> {
        match self.links.entry((stat.st_dev, stat.st_ino)) {
            std::collections::hash_map::Entry::Occupied(first) => Some(first.get().clone()),
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(path.to_vec());
                None
            }
        }
    }

    fn symlink(&mut self, name: &Name<'_>, stat: &FileStat) -> Result<(), DiffError> {
        let link = readlinkat(name.parent, name.name).map_err(|errno| name.failed("read the link", errno))?;
        self.write(&Entry { link: link.into_vec(), mode: 0o777, ..entry(name.path.clone(), Kind::Symlink, stat) })
    }

    fn special(&mut self, name: &Name<'_>, kind: Kind, stat: &FileStat) -> Result<(), DiffError> {
        self.write(&entry(name.path.clone(), kind, stat))
    }

    /// Writes a mark, an empty file called `name` beside (or in) what it is about.
    pub(super) fn mark(&mut self, path: &[u8], name: &[u8]) -> Result<(), DiffError> {
        let parent = path.iter().rposition(|byte| *byte == b'/').map_or(&b""[..], |slash| &path[..slash]);
        let (kind, mtime) = (Kind::Regular, Timestamp::default());
        let (link, xattrs, sparse) = (Vec::new(), Vec::new(), None);
        self.write(&Entry {
            path: join(parent, name),
            link,
            kind,
            mode: 0o600,
            uid: 0,
            gid: 0,
            mtime,
            size: 0,
            sparse,
            xattrs,
        })
    }

    /// Writes the directories that waited for something in them.
    pub(super) fn write_pending(&mut self) -> Result<(), DiffError> {
        for entry in std::mem::take(&mut self.pending) {
            self.entries += 1;
            self.writer.entry(&entry).map_err(DiffError::Write)?;
        }
        Ok(())
    }

    fn write(&mut self, entry: &Entry) -> Result<(), DiffError> {
        self.write_pending()?;
        self.entries += 1;
        self.writer.entry(entry).map_err(DiffError::Write)
    }
}

pub(super) fn entry(path: Vec<u8>, kind: Kind, stat: &FileStat) -> Entry {
    Entry {
        path,
        link: Vec::new(),
        kind,
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        mtime: Timestamp { seconds: stat.st_mtime, nanoseconds: stat.st_mtime_nsec as u32 },
        size: 0,
        sparse: None,
        xattrs: Vec::new(),
    }
}

/// Lists the names in a directory, sorted.
pub(super) fn names(directory: BorrowedFd<'_>) -> io::Result<Vec<Vec<u8>>> {
    let again = openat(directory, ".", OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
    let mut names = Vec::new();
    for entry in Dir::from_fd(again)? {
        names.push(entry?.file_name().to_bytes().to_vec());
    }
    names.retain(|name| name != b"." && name != b"..");
    names.sort();
    Ok(names)
}

pub(super) fn join(parent: &[u8], name: &[u8]) -> Vec<u8> {
    if parent.is_empty() { name.to_vec() } else { [parent, b"/", name].concat() }
}

pub(super) fn failed(path: &[u8], act: &'static str, source: io::Error) -> DiffError {
    DiffError::Entry { act, path: shown(path), source }
}

/// Shows a name without giving its control characters to anybody's terminal.
fn shown(path: &[u8]) -> String {
    format!("/{}", path.escape_ascii())
}
