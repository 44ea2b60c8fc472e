//! Puts files into a root file system: COPY, ADD, WORKDIR.
//!
//! Runs in the shell command's process. The target is an overlay whose writable layer becomes the new one; its names are
//! resolved below its root by openat2(2), so that links of the image lead where they would lead inside.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::{FileStat, Mode, SFlag, UtimensatFlags, mkdirat, mknodat, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{UnlinkatFlags, linkat, symlinkat, unlinkat};

use super::error::StepError;
use super::mode::Chmod;
use super::tree::{Found, Item, Tree, file_xattrs, join, split};
use super::workers::each;
use crate::layer::{Attributes, Timestamp, kind, open_directory, status};

/// Largest file that is read at once, in bytes.
const LARGEST_AT_ONCE: usize = 256 * 1024;

/// Mode of directories that nobody describes.
const FOLDER_MODE: u32 = 0o755;

/// What copied files get instead of what they have.
#[derive(Debug, Clone, Default)]
pub(crate) struct Changes {
    pub(crate) owner: Option<(u32, u32)>,
    pub(crate) mode: Option<Chmod>,
}

/// Where a copy goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Destination<'a> {
    /// Into this folder, under its own name.
    Into(&'a str),
    /// Into this folder if there is one, else it gets this name.
    At(&'a str),
}

/// A root file system to write to.
#[derive(Debug)]
pub(crate) struct Target {
    root: OwnedFd,
    /// The writable layer of the overlay that the root is, once nothing more is looked for in that.
    upper: Option<OwnedFd>,
}

impl Target {
    pub(crate) fn new(root: OwnedFd) -> Target {
        Target { root, upper: None }
    }

    /// Says which is the writable layer of the overlay. What goes into a folder that is new is then written there, where
    /// each file costs a third; overlayfs must not be asked about it any more (kernel overlayfs.rst, "Changes to underlying
    /// filesystems").
    pub(crate) fn last(self, upper: OwnedFd) -> Target {
        Target { upper: Some(upper), ..self }
    }

    fn open(&self, path: &str, flags: OFlag) -> nix::Result<OwnedFd> {
        let path = if path.is_empty() { "." } else { path };
        let resolve = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
        let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC).resolve(resolve);
        openat2(&self.root, path, how)
    }

    /// Opens a folder, making what is missing of its path with this owner and mode 0755.
    ///
    /// # Errors
    /// Something else than a folder is in the way.
    pub(crate) fn ensure_folder(&self, path: &str, owner: (u32, u32)) -> io::Result<OwnedFd> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
        let mut done = String::new();
        let mut folder = self.open("", flags)?;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let next = if done.is_empty() { name.to_owned() } else { format!("{done}/{name}") };
            folder = match self.open(&next, flags) {
                Err(Errno::ENOENT) => {
                    mkdirat(&folder, name, Mode::from_bits_truncate(FOLDER_MODE))?;
                    let made = open_directory(&folder, name.as_bytes(), OFlag::O_RDONLY)?;
                    let (uid, gid) = owner;
                    let now = Timestamp::default();
                    Attributes { uid, gid, mode: FOLDER_MODE, mtime: now, xattrs: &[] }
                        .apply_but_times(made.as_fd())?;
                    made
                }
                result => result?,
            };
            done = next;
        }
        Ok(folder)
    }

    /// Tells whether a folder is there, links followed.
    pub(crate) fn is_folder(&self, path: &str) -> bool {
        self.open(path, OFlag::O_PATH | OFlag::O_DIRECTORY).is_ok()
    }

    /// Copies what was found in `tree`: a directory's content, or a file.
    ///
    /// # Errors
    /// A file where a directory is, or the other way round; a file that cannot be read or written.
    pub(crate) fn copy(&self, tree: &Tree, found: &Found, to: Destination<'_>, changes: &Changes) -> io::Result<()> {
        let (Destination::Into(path) | Destination::At(path)) = to;
        let is_folder = matches!(to, Destination::Into(_)) || self.is_folder(path);
        let source = Source { tree, found, changes };
        let mut copying = Copying { source, links: HashMap::new(), times: Vec::new() };
        if found.is_directory() {
            let folder = self.folder_like(path, &copying)?;
            copying.content(&folder)?;
            return copying.finish(&folder);
        }
        let (parent, name) = split(path.as_bytes());
        let (parent, name) = match is_folder {
            true => (path, super::path::last(&found.name).as_bytes()),
            false => (std::str::from_utf8(parent).expect("it was cut at a `/`"), name),
        };
        let folder = self.ensure_folder(parent, (0, 0))?;
        // The name itself may be a link of the image's; the file goes where that leads.
        match self.followed(parent, name)? {
            Some((folder, name)) => copying.item(&folder, &found.items[0], &name),
            None => copying.item(&folder, &found.items[0], name),
        }
    }

    /// Follows a link at the end of a path, once; a chain of them is replaced at its first.
    fn followed(&self, parent: &str, name: &[u8]) -> io::Result<Option<(OwnedFd, Vec<u8>)>> {
        let folder = self.open(parent, OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
        let is_link = status(&folder, name)?.is_some_and(|stat| kind(&stat) == SFlag::S_IFLNK);
        if !is_link {
            return Ok(None);
        }
        let link = nix::fcntl::readlinkat(&folder, OsStr::from_bytes(name))?;
        let path = super::path::resolve(parent, &link.to_string_lossy());
        let (parent, name) = split(&path.as_bytes()[1..]);
        let parent = String::from_utf8_lossy(parent).into_owned();
        Ok(Some((self.ensure_folder(&parent, (0, 0))?, name.to_vec())))
    }

    /// Opens the folder that a directory's content goes to; one that is made is like the directory itself.
    fn folder_like(&self, path: &str, copying: &Copying<'_>) -> io::Result<OwnedFd> {
        if self.is_folder(path) {
            return self.ensure_folder(path, (0, 0));
        }
        let (parent, name) = split(path.as_bytes());
        let parent = std::str::from_utf8(parent).expect("it was cut at a `/`");
        let parent = self.ensure_folder(parent, (0, 0))?;
        mkdirat(&parent, OsStr::from_bytes(name), Mode::from_bits_truncate(FOLDER_MODE))?;
        let folder = open_directory(&parent, name, OFlag::O_RDONLY)?;
        copying.source.describe(&folder, &copying.source.found.items[0])?;
        self.past_overlay(folder)
    }

    /// Opens a new folder of the overlay in its writable layer.
    fn past_overlay(&self, folder: OwnedFd) -> io::Result<OwnedFd> {
        let Some(upper) = &self.upper else { return Ok(folder) };
        let path = |fd: &OwnedFd| std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()));
        let (root, path) = (path(&self.root)?, path(&folder)?);
        // Of a root without a place in our namespace the kernel shows the path from the root.
        let path = path.strip_prefix(&root).unwrap_or(&path).as_os_str().as_bytes();
        below(upper, path.strip_prefix(b"/").unwrap_or(path))
    }

    /// Writes a file of these bytes, a here-document or a download.
    pub(crate) fn write(&self, path: &str, content: &mut dyn io::Read, like: &Attributes<'_>) -> io::Result<()> {
        let (parent, name) = split(path.as_bytes());
        let parent = std::str::from_utf8(parent).expect("it was cut at a `/`");
        let folder = self.ensure_folder(parent, (0, 0))?;
        let mut file = create(&folder, name)?;
        io::copy(content, &mut file)?;
        like.apply_to_file(file.as_fd())
    }
}

/// What is copied, and how.
struct Source<'a> {
    tree: &'a Tree,
    found: &'a Found,
    changes: &'a Changes,
}

/// One tree being copied.
struct Copying<'a> {
    source: Source<'a>,
    /// The first copy of each file that has several names.
    links: HashMap<(u64, u64), (OwnedFd, Vec<u8>)>,
    /// Directories and the times they get at the end.
    times: Vec<(Vec<u8>, FileStat)>,
}

impl Copying<'_> {
    /// Copies everything below the directory itself into `folder`: what depends on an order first, then the files of each
    /// directory, several directories at once.
    fn content(&mut self, folder: &OwnedFd) -> io::Result<()> {
        let found = self.source.found;
        let mut open: Option<(Vec<u8>, OwnedFd)> = None;
        let mut files: BTreeMap<&[u8], Vec<&Item>> = BTreeMap::new();
        for item in &found.items[1..] {
            let (parent, name) = split(&item.path);
            if kind(&item.stat) == SFlag::S_IFREG && item.stat.st_nlink == 1 {
                files.entry(parent).or_default().push(item);
                continue;
            }
            if open.as_ref().is_none_or(|(path, _)| path != parent) {
                open = Some((parent.to_vec(), below(folder, parent)?));
            }
            let (_, parent) = open.as_ref().expect("it was opened just now");
            self.item(parent, item, name).map_err(|error| named(item, &error))?;
        }
        let files: Vec<(&[u8], Vec<&Item>)> = files.into_iter().collect();
        let source = &self.source;
        each(&files, |(parent, items)| {
            let parent = below(folder, parent)?;
            items.iter().try_for_each(|item| {
                let (path, (_, name)) = (join(found.path.as_bytes(), &item.path), split(&item.path));
                source.file(&parent, item, &path, name).map_err(|error| named(item, &error))
            })
        })?;
        Ok(())
    }

    /// Sets the directories' times, now that nothing is made in them any more.
    fn finish(&self, folder: &OwnedFd) -> io::Result<()> {
        for (path, stat) in self.times.iter().rev() {
            let directory = below(folder, path)?;
            set_times(&directory, b".", stat)?;
        }
        Ok(())
    }

    fn item(&mut self, folder: &OwnedFd, item: &Item, name: &[u8]) -> io::Result<()> {
        let source = join(self.source.found.path.as_bytes(), &item.path);
        if item.is_directory() {
            return self.directory(folder, item, name);
        }
        let node = (item.stat.st_dev, item.stat.st_ino);
        if item.stat.st_nlink > 1
            && let Some((first, first_name)) = self.links.get(&node)
        {
            remove(folder, name)?;
            let (first_name, name) = (OsStr::from_bytes(first_name), OsStr::from_bytes(name));
            return Ok(linkat(first, first_name, folder, name, AtFlags::empty())?);
        }
        match kind(&item.stat) {
            SFlag::S_IFREG => self.source.file(folder, item, &source, name)?,
            SFlag::S_IFLNK => {
                remove(folder, name)?;
                symlinkat(OsStr::from_bytes(&self.source.tree.link(&source)?), folder, OsStr::from_bytes(name))?;
                self.source.describe_at(folder, item, &source, name)?;
            }
            kind => {
                remove(folder, name)?;
                mknodat(folder, OsStr::from_bytes(name), kind, Mode::S_IRUSR, item.stat.st_rdev)?;
                self.source.describe_at(folder, item, &source, name)?;
            }
        }
        if item.stat.st_nlink > 1 {
            self.links.insert(node, (folder.try_clone()?, name.to_vec()));
        }
        Ok(())
    }

    fn directory(&mut self, folder: &OwnedFd, item: &Item, name: &[u8]) -> io::Result<()> {
        match mkdirat(folder, OsStr::from_bytes(name), Mode::S_IRWXU) {
            Err(Errno::EEXIST) if status(folder, name)?.is_some_and(|stat| kind(&stat) == SFlag::S_IFDIR) => {}
            Err(Errno::EEXIST) => return Err(io::Error::other("a directory cannot replace a file")),
            result => result?,
        }
        let directory = open_directory(folder, name, OFlag::O_RDONLY)?;
        self.source.describe(&directory, item)?;
        self.times.push((item.path.clone(), item.stat));
        Ok(())
    }
}

impl Source<'_> {
    fn file(&self, folder: &OwnedFd, item: &Item, source: &[u8], name: &[u8]) -> io::Result<()> {
        let mut from = self.tree.file(source)?;
        let mut to = create(folder, name)?;
        copy_content(&mut from, &mut to, item.stat.st_size)?;
        let xattrs = file_xattrs(&from)?;
        self.attributes(item, &xattrs).apply_to_file(to.as_fd())
    }

    fn attributes<'b>(&self, item: &Item, xattrs: &'b [(Vec<u8>, Vec<u8>)]) -> Attributes<'b> {
        let (uid, gid) = self.changes.owner.unwrap_or_else(|| self.tree.owner(&item.stat));
        let own = item.stat.st_mode & 0o7777;
        let mode = self.changes.mode.as_ref().map_or(own, |change| change.apply(own, item.is_directory()));
        let mtime = Timestamp { seconds: item.stat.st_mtime, nanoseconds: item.stat.st_mtime_nsec as u32 };
        Attributes { uid, gid, mode, mtime, xattrs }
    }

    fn describe(&self, directory: &OwnedFd, item: &Item) -> io::Result<()> {
        let xattrs = self.tree.xattrs(&join(self.found.path.as_bytes(), &item.path))?;
        self.attributes(item, &xattrs).apply_but_times(directory.as_fd())
    }

    fn describe_at(&self, folder: &OwnedFd, item: &Item, source: &[u8], name: &[u8]) -> io::Result<()> {
        let xattrs = self.tree.xattrs(source)?;
        let is_link = kind(&item.stat) == SFlag::S_IFLNK;
        self.attributes(item, &xattrs).apply_at(folder.as_fd(), name, is_link)
    }
}

/// Copies a file; a small one with one read and one write, where io::copy would first try what is for large ones.
fn copy_content(from: &mut File, to: &mut File, size: i64) -> io::Result<()> {
    match usize::try_from(size) {
        Ok(size) if size < LARGEST_AT_ONCE => {
            // Room for one byte more than is expected, so that the end shows without growing.
            let mut content = Vec::with_capacity(size + 1);
            from.take(LARGEST_AT_ONCE as u64).read_to_end(&mut content)?;
            to.write_all(&content)?;
            if content.len() < LARGEST_AT_ONCE { Ok(()) } else { io::copy(from, to).map(drop) }
        }
        _ => io::copy(from, to).map(drop),
    }
}

fn named(item: &Item, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("`{}`: {error}", item.path.escape_ascii()))
}

/// Opens a directory that we have made or found below `folder`, following no link.
fn below(folder: &OwnedFd, path: &[u8]) -> io::Result<OwnedFd> {
    let path = if path.is_empty() { b"." } else { path };
    let resolve = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS;
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    Ok(openat2(folder, OsStr::from_bytes(path), OpenHow::new().flags(flags).resolve(resolve))?)
}

/// Makes a file; one that has the name goes, and so does a link.
fn create(folder: &OwnedFd, name: &[u8]) -> io::Result<File> {
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let open = || openat(folder, OsStr::from_bytes(name), flags, Mode::S_IRUSR | Mode::S_IWUSR);
    let file = match open() {
        Err(Errno::EEXIST) => {
            remove(folder, name)?;
            open()?
        }
        result => result?,
    };
    Ok(file.into())
}

fn remove(folder: &OwnedFd, name: &[u8]) -> io::Result<()> {
    match unlinkat(folder, OsStr::from_bytes(name), UnlinkatFlags::NoRemoveDir) {
        Err(Errno::ENOENT) => Ok(()),
        Err(Errno::EISDIR) => Err(io::Error::other("a file cannot replace a directory")),
        result => Ok(result?),
    }
}

fn set_times(folder: &OwnedFd, name: &[u8], stat: &FileStat) -> io::Result<()> {
    let time = TimeSpec::new(stat.st_mtime, stat.st_mtime_nsec);
    Ok(utimensat(folder, OsStr::from_bytes(name), &time, &time, UtimensatFlags::NoFollowSymlink)?)
}

/// Sets every time in a tree that is later than `latest`, in seconds since 1970, to that.
///
/// # Errors
/// What the file system says.
pub(crate) fn clamp_times(root: &OwnedFd, latest: i64) -> io::Result<()> {
    let directory = openat(root, ".", OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
    let mut names = Vec::new();
    for entry in nix::dir::Dir::from_fd(directory)? {
        names.push(entry?.file_name().to_bytes().to_vec());
    }
    for name in names.iter().filter(|name| *name != b".." && *name != b".") {
        let Some(mut stat) = status(root, name)? else { continue };
        if kind(&stat) == SFlag::S_IFDIR {
            clamp_times(&open_directory(root, name, OFlag::O_RDONLY)?, latest)?;
        }
        if (stat.st_mtime, stat.st_mtime_nsec) > (latest, 0) {
            (stat.st_mtime, stat.st_mtime_nsec) = (latest, 0);
            set_times(root, name, &stat)?;
        }
    }
    let mut stat = nix::sys::stat::fstat(root)?;
    if (stat.st_mtime, stat.st_mtime_nsec) > (latest, 0) {
        (stat.st_mtime, stat.st_mtime_nsec) = (latest, 0);
        set_times(root, b".", &stat)?;
    }
    Ok(())
}

/// Removes mount points that were made for a RUN, if nothing is in them; `paths` are clean, below the root.
///
/// A folder that was copied up only because a mount point was made in it goes as well, for it says nothing new.
///
/// # Errors
/// What the file system says, or `lower`, which is asked for the files below only if there is something to compare.
pub(crate) fn remove_mount_points(
    upper: &OwnedFd,
    paths: &[String],
    lower: &dyn Fn() -> Result<Tree, StepError>,
) -> Result<(), StepError> {
    let failed = || StepError::io("tidy up after the step");
    let mut paths: Vec<&String> = paths.iter().collect();
    paths.sort_by_key(|path| std::cmp::Reverse(path.split('/').count()));
    let mut below_it = None;
    for path in paths {
        let (parent, name) = split(path.as_bytes());
        let Ok(folder) = below(upper, parent) else { continue };
        match status(&folder, name).map_err(failed())? {
            Some(stat) if kind(&stat) == SFlag::S_IFREG && stat.st_size == 0 => {
                remove(&folder, name).map_err(failed())?
            }
            Some(stat) if kind(&stat) == SFlag::S_IFDIR && is_empty(&folder, name).map_err(failed())? => {
                let tree = match &below_it {
                    Some(tree) => tree,
                    None => below_it.insert(lower()?),
                };
                let unchanged = match tree.status(path).map_err(failed())? {
                    Some(old) => (old.st_mode, old.st_uid, old.st_gid) == (stat.st_mode, stat.st_uid, stat.st_gid),
                    None => true,
                };
                if unchanged && !crate::layer::is_opaque(folder.as_fd(), name).map_err(failed())? {
                    let _ = unlinkat(&folder, OsStr::from_bytes(name), UnlinkatFlags::RemoveDir);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_empty(folder: &OwnedFd, name: &[u8]) -> io::Result<bool> {
    let mut directory = nix::dir::Dir::from_fd(open_directory(folder, name, OFlag::O_RDONLY)?)?;
    Ok(directory.iter().flatten().all(|entry| matches!(entry.file_name().to_bytes(), b"." | b"..")))
}
