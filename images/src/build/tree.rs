//! A tree of files to copy from: the build context, a stage, an image, an archive.
//!
//! Runs in the shell command's process. Everything is opened below the root's descriptor with openat2(2) and
//! `RESOLVE_IN_ROOT`: no link and no `..` leads out of it, whoever wrote it. What `.dockerignore` leaves out is not there.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};
use sha2::{Digest as _, Sha256};

use super::ignore::{Ignore, Verdict};
use super::path;
use super::pattern::{Glob, is_pattern};
use super::workers::each;
use crate::digest::Digest;
use crate::layer::{Xattrs, kind, restorable_of_file, restorable_xattrs, status};
use crate::regular_file;
use crate::sys::xattr;

/// Size of the pieces a file is hashed in, in bytes.
const PIECE: usize = 128 * 1024;

/// Files that one thread hashes before it takes the next ones; part of what a digest means.
const CHUNK: usize = 128;

/// The root of a tree.
#[derive(Debug)]
pub(crate) struct Tree {
    root: OwnedFd,
    /// What is not there.
    ignore: Ignore,
    /// Whether owners mean nothing, since they are those of whoever builds: the context's files are root's.
    has_foreign_owners: bool,
}

/// One file of a tree.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    /// Path below what is copied; empty for that itself.
    pub(crate) path: Vec<u8>,
    pub(crate) stat: FileStat,
}

impl Item {
    pub(crate) fn is_directory(&self) -> bool {
        kind(&self.stat) == SFlag::S_IFDIR
    }
}

/// Something to copy, found in a tree: a file, or a directory with what is in it.
#[derive(Debug)]
pub(crate) struct Found {
    /// Clean path below the root, links followed.
    pub(crate) path: String,
    /// The name that it was asked for by.
    pub(crate) name: String,
    /// Itself first, then what is in it, parents before children, in the order of names.
    pub(crate) items: Vec<Item>,
}

impl Found {
    pub(crate) fn is_directory(&self) -> bool {
        self.items[0].is_directory()
    }
}

impl Tree {
    /// Takes the build context: a folder of the user's, but for what `ignore` leaves out.
    pub(crate) fn context(root: OwnedFd, ignore: Ignore) -> Tree {
        Tree { root, ignore, has_foreign_owners: true }
    }

    /// Takes a root file system, whose owners are as they should be.
    pub(crate) fn whole(root: OwnedFd) -> Tree {
        Tree { root, ignore: Ignore::default(), has_foreign_owners: false }
    }

    /// Returns the root's descriptor.
    pub(crate) fn into_root(self) -> OwnedFd {
        self.root
    }

    /// Returns whether something is left out of it.
    pub(crate) fn is_filtered(&self) -> bool {
        !self.ignore.is_empty()
    }

    /// Returns the owner that a file has.
    pub(crate) fn owner(&self, stat: &FileStat) -> (u32, u32) {
        if self.has_foreign_owners { (0, 0) } else { (stat.st_uid, stat.st_gid) }
    }

    /// Opens what is at a clean path below the root, without following a link in its last component.
    pub(crate) fn open(&self, path: &[u8], flags: OFlag) -> io::Result<OwnedFd> {
        self.resolve(path, flags | OFlag::O_NOFOLLOW)
    }

    fn resolve(&self, path: &[u8], flags: OFlag) -> io::Result<OwnedFd> {
        let path = if path.is_empty() { b"." } else { path };
        let resolve = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
        let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC).resolve(resolve);
        loop {
            match openat2(&self.root, OsStr::from_bytes(path), how) {
                // openat2(2): a rename elsewhere raced with `..`; the answer may differ next time.
                Err(Errno::EAGAIN) => {}
                result => return Ok(result?),
            }
        }
    }

    /// Returns where a path leads, links followed; `None` if nothing is there.
    fn real_path(&self, path: &str) -> io::Result<Option<(String, OwnedFd)>> {
        let fd = match self.resolve(path.as_bytes(), OFlag::O_PATH) {
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) => return Ok(None),
            result => result?,
        };
        let of = |fd: &OwnedFd| std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()));
        let (root, real) = (of(&self.root)?, of(&fd)?);
        // Of a root without a place in our namespace the kernel shows the path from the root.
        let below = real.strip_prefix(&root).unwrap_or(&real);
        Ok(Some((path::below_root(&below.to_string_lossy()), fd)))
    }

    /// Finds everything that `pattern` names, in the order of names.
    pub(crate) fn find(&self, pattern: &str, exclude: &Ignore) -> io::Result<Vec<Found>> {
        let clean = path::below_root(pattern);
        let names = if is_pattern(&clean) { self.matching(&clean)? } else { vec![clean] };
        let mut found = Vec::new();
        for name in names {
            found.extend(self.look_up(&name, exclude)?);
        }
        Ok(found)
    }

    /// Finds what a path leads to; signs of patterns in it mean nothing.
    pub(crate) fn find_one(&self, path: &str, exclude: &Ignore) -> io::Result<Option<Found>> {
        self.look_up(&path::below_root(path), exclude)
    }

    fn look_up(&self, name: &str, exclude: &Ignore) -> io::Result<Option<Found>> {
        let Some((path, fd)) = self.real_path(name)? else { return Ok(None) };
        let verdict = self.ignore.enter(&self.ignore.root(), &path);
        let is_hidden = !path.is_empty() && verdict.is_ignored;
        let stat = fstat(&fd)?;
        if is_hidden && (kind(&stat) != SFlag::S_IFDIR || !self.ignore.may_take_back()) {
            return Ok(None);
        }
        let mut walk = Walk { tree: self, exclude, base: path.clone(), items: vec![Item { path: Vec::new(), stat }] };
        if kind(&stat) == SFlag::S_IFDIR {
            let root = if path.is_empty() { self.ignore.root() } else { verdict };
            walk.directory(&[], &root, &exclude.root())?;
        } else if !exclude.is_empty() && exclude.is_ignored(path::last(name)) {
            return Ok(None);
        }
        // Taken back, but nothing is: then the folder is not there either.
        let is_there = !is_hidden || walk.items.len() > 1;
        Ok(is_there.then(|| Found { path, name: name.to_owned(), items: walk.items }))
    }

    /// Lists the paths that a pattern fits.
    fn matching(&self, pattern: &str) -> io::Result<Vec<String>> {
        let crosses = pattern.contains("**");
        let glob = if crosses { Glob::path(pattern) } else { Glob::file_name(pattern) };
        let glob = glob.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        // Folders before the first sign need not be looked through.
        let first = pattern.split('/').position(is_pattern).unwrap_or_default();
        let start = pattern.split('/').take(first).collect::<Vec<_>>().join("/");
        let depth = if crosses { usize::MAX } else { pattern.split('/').count() };
        let mut names = Vec::new();
        let mut folders = vec![start];
        while let Some(folder) = folders.pop() {
            for name in self.names(folder.as_bytes())? {
                // No pattern that can be written fits a name that is no text.
                let Ok(name) = String::from_utf8(name) else { continue };
                let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
                if path.split('/').count() < depth {
                    folders.push(path.clone());
                }
                if glob.matches(&path) {
                    names.push(path);
                }
            }
        }
        names.sort();
        Ok(names)
    }

    /// Lists a directory, sorted; what is none has no names.
    fn names(&self, path: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        let directory = match self.resolve(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY) {
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) => return Ok(Vec::new()),
            result => result?,
        };
        let mut names = Vec::new();
        for entry in Dir::from_fd(directory)? {
            names.push(entry?.file_name().to_bytes().to_vec());
        }
        names.retain(|name| name != b"." && name != b"..");
        names.sort();
        Ok(names)
    }

    /// Returns a digest of everything that a copy of `found` gives, times excepted.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(crate) fn digest(&self, found: &Found) -> io::Result<Digest> {
        let chunks: Vec<&[Item]> = found.items.chunks(CHUNK).collect();
        let hashes = each(&chunks, |items| {
            let mut hasher = Sha256::new();
            let mut buffer = vec![0; PIECE];
            for item in *items {
                self.hash_item(&mut hasher, found, item, &mut buffer)?;
            }
            Ok(hasher.finalize())
        })?;
        let mut hasher = Sha256::new();
        hashes.iter().for_each(|hash| hasher.update(hash));
        Ok(Digest::finish(hasher))
    }

    fn hash_item(&self, hasher: &mut Sha256, found: &Found, item: &Item, buffer: &mut [u8]) -> io::Result<()> {
        let path = join(found.path.as_bytes(), &item.path);
        let (uid, gid) = self.owner(&item.stat);
        let file = (kind(&item.stat) == SFlag::S_IFREG).then(|| self.file(&path)).transpose()?;
        let mut field = |bytes: &[u8]| {
            hasher.update((bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        };
        field(&item.path);
        for number in [u64::from(item.stat.st_mode), u64::from(uid), u64::from(gid)] {
            field(&number.to_le_bytes());
        }
        let xattrs = file.as_ref().map_or_else(|| self.xattrs(&path), file_xattrs);
        for (name, value) in xattrs? {
            field(&name);
            field(&value);
        }
        match kind(&item.stat) {
            SFlag::S_IFLNK => field(&self.link(&path)?),
            SFlag::S_IFCHR | SFlag::S_IFBLK => field(&item.stat.st_rdev.to_le_bytes()),
            _ => {}
        }
        let Some(mut file) = file else { return Ok(()) };
        let size = item.stat.st_size as u64;
        hasher.update(size.to_le_bytes());
        let mut hashed = 0;
        loop {
            let length = file.read(buffer)?;
            hasher.update(&buffer[..length]);
            hashed += length as u64;
            // Less than there is room for, and all that was expected: the end need not be asked for.
            if length == 0 || (length < buffer.len() && hashed >= size) {
                return Ok(());
            }
        }
    }

    /// Opens a regular file for reading; were it swapped for a pipe meanwhile, that must not block.
    pub(crate) fn file(&self, path: &[u8]) -> io::Result<File> {
        Ok(self.open(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?.into())
    }

    /// Reads a symbolic link.
    pub(crate) fn link(&self, path: &[u8]) -> io::Result<Vec<u8>> {
        let link = self.open(path, OFlag::O_PATH)?;
        Ok(readlinkat(&link, "")?.into_vec())
    }

    /// Reads the extended attributes that a layer may have.
    pub(crate) fn xattrs(&self, path: &[u8]) -> io::Result<Xattrs> {
        let (parent, name) = split(path);
        let parent = self.resolve(parent, OFlag::O_PATH | OFlag::O_DIRECTORY)?;
        restorable_xattrs(parent.as_fd(), name)
    }

    /// Looks at a file, not following a link; `None` if there is none.
    pub(crate) fn status(&self, path: &str) -> io::Result<Option<FileStat>> {
        let (parent, name) = split(path.as_bytes());
        match self.resolve(parent, OFlag::O_PATH | OFlag::O_DIRECTORY) {
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) => Ok(None),
            Err(error) => Err(error),
            Ok(directory) if name.is_empty() => Ok(Some(fstat(&directory)?)),
            Ok(directory) => status(&directory, name),
        }
    }

    /// Reads a small file of the tree, links followed; `None` if there is no regular file.
    pub(crate) fn read(&self, path: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let found = match self.resolve(path.as_bytes(), OFlag::O_PATH) {
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) => return Ok(None),
            result => result?,
        };
        // what an image has there may be a device of the host's
        let Some(file) = regular_file::open_found(found)? else { return Ok(None) };
        let mut content = Vec::new();
        file.take(limit).read_to_end(&mut content)?;
        Ok(Some(content))
    }

    /// Returns the root's own place on this host, if it has one.
    pub(crate) fn place(&self) -> io::Result<std::path::PathBuf> {
        std::fs::read_link(Path::new("/proc/self/fd").join(self.root.as_raw_fd().to_string()))
    }
}

/// Goes through a directory.
struct Walk<'a> {
    tree: &'a Tree,
    exclude: &'a Ignore,
    /// Where the walk started, below the root.
    base: String,
    items: Vec<Item>,
}

impl Walk<'_> {
    fn directory(&mut self, path: &[u8], ignored: &Verdict, excluded: &Verdict) -> io::Result<()> {
        let below_root = join(self.base.as_bytes(), path);
        let directory = self.tree.open(&below_root, OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
        for name in self.tree.names(&below_root)? {
            let Some(stat) = status(&directory, &name)? else { continue };
            let child = join(path, &name);
            let text = String::from_utf8_lossy(&child).into_owned();
            let whole = String::from_utf8_lossy(&join(&below_root, &name)).into_owned();
            let ignored = self.tree.ignore.enter(ignored, &whole);
            let excluded = self.exclude.enter(excluded, &text);
            self.child(Item { path: child, stat }, &ignored, &excluded)?;
        }
        Ok(())
    }

    fn child(&mut self, item: Item, ignored: &Verdict, excluded: &Verdict) -> io::Result<()> {
        let is_hidden = ignored.is_ignored || excluded.is_ignored;
        if !item.is_directory() {
            // Sockets mean nothing without whoever listens.
            if !is_hidden && kind(&item.stat) != SFlag::S_IFSOCK {
                self.items.push(item);
            }
            return Ok(());
        }
        if is_hidden && !(self.tree.ignore.may_take_back() || self.exclude.may_take_back()) {
            return Ok(());
        }
        let (path, before) = (item.path.clone(), self.items.len());
        self.items.push(item);
        self.directory(&path, ignored, excluded)?;
        if is_hidden && self.items.len() == before + 1 {
            self.items.pop();
        }
        Ok(())
    }
}

/// Reads the extended attributes of an open file that a layer may have.
pub(crate) fn file_xattrs(file: &File) -> io::Result<Xattrs> {
    restorable_of_file(file.as_fd(), xattr::list(file.as_fd())?)
}

/// Joins clean paths.
pub(crate) fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    match (folder.is_empty(), name.is_empty()) {
        (true, _) => name.to_vec(),
        (_, true) => folder.to_vec(),
        _ => [folder, b"/", name].concat(),
    }
}

/// Splits a clean path into folder and name.
pub(crate) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (&[], path),
    }
}

/// Opens a directory as the root of a tree.
pub(crate) fn open_root(path: &Path) -> io::Result<OwnedFd> {
    Ok(nix::fcntl::open(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?)
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
