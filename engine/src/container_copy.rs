//! `cp`: files and folders into a container and out of it, whether it runs or not.
//!
//! Runs in the command. Every path is resolved by the kernel beneath the root it belongs to, and everything is done on
//! descriptors: whatever a hostile container renames meanwhile, no link of its leads out. What is copied is put together beside
//! its place and appears by renames, so that a copy that is cut short leaves the old file or the new one.

use std::ffi::{CStr, CString, OsStr, OsString};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use lighter_images::derive;
use lighter_images::remove_tree::remove_tree_at;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, Flock, FlockArg, OFlag, OpenHow, ResolveFlag, openat, openat2, readlinkat, renameat};
use nix::sys::stat::{Mode, SFlag, fstat, fstatat, mkdirat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchownat, unlinkat};

use crate::as_root::{HostPlace, as_root_of};
use crate::runtime::mount::clone_tree;
use crate::volume::copy_up::{self, names};
use crate::{Container, Engine, Lock, ViewError};

/// Links that are followed one after another until it is a loop: the kernel's limit (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// An archive on a pipe.
const STREAM: &str = "-";

/// How a copy is made.
#[derive(Debug, Clone, Copy, Default)]
pub struct CopyOptions {
    /// Keep owners; else everything belongs to root.
    pub archive: bool,
    /// Copy what a link at the end of the source leads to, not the link.
    pub follow: bool,
}

/// Why nothing could be copied.
#[derive(Debug, thiserror::Error)]
pub enum ContainerCopyError {
    /// The container's files cannot be seen.
    #[error(transparent)]
    View(#[from] ViewError),
    /// The record could not be read, or the lock not taken.
    #[error(transparent)]
    File(#[from] crate::FileError),
    /// The file system refused.
    #[error("copy `{from}` to `{to}`")]
    Copy {
        /// What was to be copied.
        from: String,
        /// Where to.
        to: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A path and the root it is resolved beneath.
struct Place<'a> {
    root: BorrowedFd<'a>,
    path: &'a Path,
}

impl Engine {
    /// Copies `path` of a container to `destination` on the host, by the rules of docker-cp(1).
    pub fn copy_out(
        &self,
        container: &Container,
        path: &Path,
        destination: &Path,
        options: CopyOptions,
    ) -> Result<(), ContainerCopyError> {
        let (root, _lock) = self.readable_root(container)?;
        let copied = HostPlace::to_write(destination, &container.paths).and_then(|host| {
            let from = Place { root: root.as_fd(), path };
            as_root_of(container, || copy(&from, &host.place(), options))
        });
        copied.map_err(failed(path, destination))
    }

    /// Copies `source` on the host to `path` in a container, by the rules of docker-cp(1).
    pub fn copy_in(
        &self,
        container: &Container,
        source: &Path,
        path: &Path,
        options: CopyOptions,
    ) -> Result<(), ContainerCopyError> {
        let host = HostPlace::to_read(source, &container.paths).map_err(failed(source, path))?;
        let act = |root: OwnedFd| copy(&host.place(), &Place { root: root.as_fd(), path }, options);
        let copied = match self.running_root(container)? {
            Some(root) => as_root_of(container, || act(root)),
            None => {
                let _lock = self.lock_container(&container.id)?; // nobody starts it meanwhile
                self.with_files_of_stopped(container, act)?
            }
        };
        copied.map_err(failed(source, path))
    }

    /// Writes `path` of a container to `out` as an archive: named by its own name, or, of `path/.`, what is in it.
    pub fn copy_out_archive(
        &self,
        container: &Container,
        path: &Path,
        mut out: impl Write,
        options: CopyOptions,
    ) -> Result<(), ContainerCopyError> {
        let (root, _lock) = self.readable_root(container)?;
        let from = Place { root: root.as_fd(), path };
        let written = as_root_of(container, || write_archive(&from, &mut out, options).and_then(|()| out.flush()));
        written.map_err(failed(path, Path::new(STREAM)))?;
        self.tell_of(container, "archive-path");
        Ok(())
    }

    /// Unpacks the archive that `input` is into the folder `path` of a container.
    pub fn copy_in_archive(
        &self,
        container: &Container,
        input: impl Read + Send,
        path: &Path,
    ) -> Result<(), ContainerCopyError> {
        let act = |root: OwnedFd| read_archive(input, &Place { root: root.as_fd(), path });
        let copied = match self.running_root(container)? {
            Some(root) => as_root_of(container, || act(root)),
            None => {
                let _lock = self.lock_container(&container.id)?; // nobody starts it meanwhile
                self.with_files_of_stopped(container, act)?
            }
        };
        copied.map_err(failed(Path::new(STREAM), path))?;
        self.tell_of(container, "extract-to-dir");
        Ok(())
    }

    /// Makes a folder in a running container, with its parents, unless it is there.
    pub fn make_folder_in(&self, container: &Container, path: &Path) -> Result<(), ContainerCopyError> {
        let Some(root) = self.running_root(container)? else { return Ok(()) };
        as_root_of(container, || make_folders(root.as_fd(), path)).map_err(failed(path, path))
    }

    /// Removes a file, or a folder with all below it, in a running container; what is not there is removed.
    pub fn remove_in(&self, container: &Container, path: &Path) -> Result<(), ContainerCopyError> {
        let Some(root) = self.running_root(container)? else { return Ok(()) };
        as_root_of(container, || remove(&Place { root: root.as_fd(), path })).map_err(failed(path, path))
    }

    /// Opens the root directory of a container to read from, with its volumes; one that does not run is not started meanwhile.
    fn readable_root(&self, container: &Container) -> Result<(OwnedFd, Option<Lock>), ContainerCopyError> {
        if let Some(root) = self.running_root(container)? {
            return Ok((root, None));
        }
        let lock = self.lock_container(&container.id)?;
        // a copy of what is mounted, which outlives the namespace that it is mounted in
        let copied = self.with_files_of_stopped(container, |root| clone_tree(root.as_fd(), c"", true))?;
        match copied {
            Ok(root) => Ok((root, Some(lock))),
            Err(Errno::ENOSYS) => Ok((self.files_of(container)?, Some(lock))), // Linux < 5.2: without its volumes
            Err(errno) => Err(failed(Path::new("/"), Path::new(STREAM))(errno.into())),
        }
    }

    /// Returns the root directory as the container's processes see it, with its volumes; `None` if it has no process.
    fn running_root(&self, container: &Container) -> Result<Option<OwnedFd>, crate::FileError> {
        let state = self.load_state(&container.id)?;
        let Some(init) = state.init.filter(|init| init.is_alive()) else { return Ok(None) };
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let path = PathBuf::from(format!("/proc/{}/root", init.pid));
        let opened = nix::fcntl::open(&path, flags, Mode::empty());
        // it may have ended between the two looks, and its pid be another's
        match opened {
            Ok(root) if init.is_alive() => Ok(Some(root)),
            Ok(_) | Err(Errno::ENOENT | Errno::ESRCH) => Ok(None),
            Err(errno) => Err(crate::FileError::io("open", &path)(errno.into())),
        }
    }
}

impl HostPlace {
    fn place(&self) -> Place<'_> {
        Place { root: self.root.as_fd(), path: &self.path }
    }
}

/// Makes a folder below a root, with its parents, unless it is there.
pub(crate) fn make_folders(root: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let mut made = PathBuf::from("/");
    for part in clean(path).iter().skip(1) {
        match mkdirat(&folder(&Place { root, path: &made })?, part, Mode::from_bits_truncate(0o755)) {
            Ok(()) | Err(Errno::EEXIST) => made.push(part),
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

fn failed(from: &Path, to: &Path) -> impl Fn(io::Error) -> ContainerCopyError {
    let (from, to) = (from.display().to_string(), to.display().to_string());
    move |source| ContainerCopyError::Copy { from: from.clone(), to: to.clone(), source }
}

/// A folder that is open, and the name of something in it; no name is the folder itself.
struct Spot {
    folder: OwnedFd,
    name: Option<OsString>,
}

fn copy(from: &Place<'_>, to: &Place<'_>, options: CopyOptions) -> io::Result<()> {
    let wants_content = from.path.as_os_str().as_encoded_bytes().ends_with(b"/.");
    let source = if options.follow { resolved(from)? } else { from.path.to_owned() };
    let source = spot(&Place { path: &source, ..*from })?;
    let is_folder = source.is_folder()?;
    let own_name = clean(from.path).file_name().map(OsStr::to_owned);
    let staging = Staging::make(to, is_folder, (own_name, wants_content))?;
    let copied = staging.fill(&source, options).and_then(|()| staging.publish());
    copied.and(staging.remove())
}

fn write_archive(from: &Place<'_>, out: impl Write, options: CopyOptions) -> io::Result<()> {
    let wants_content = from.path.as_os_str().as_encoded_bytes().ends_with(b"/.");
    let source = if options.follow { resolved(from)? } else { from.path.to_owned() };
    let source = spot(&Place { path: &source, ..*from })?;
    let is_folder = source.is_folder()?;
    let entries = match &source.name {
        Some(name) if wants_content && is_folder => {
            derive::archive(open_folder(source.folder.as_fd(), &CString::new(name.as_encoded_bytes())?)?, out)
        }
        Some(name) => derive::archive_entry(source.folder.as_fd(), name, out),
        None => derive::archive(source.folder, out),
    };
    entries.map(drop).map_err(io::Error::other)
}

/// Unpacks beside what is in the folder, and moves it there once it is whole.
fn read_archive(input: impl Read, to: &Place<'_>) -> io::Result<()> {
    let folder = folder(to)?;
    let staging = Staging::within(folder, OsString::from("."))?;
    let unpacked = mkdirat(&*staging.place, "copy", Mode::S_IRWXU).map_err(io::Error::from).and_then(|()| {
        derive::unpack_archive(input, open_folder(staging.place.as_fd(), c"copy")?)?;
        staging.publish()
    });
    unpacked.and(staging.remove())
}

impl Spot {
    fn is_folder(&self) -> io::Result<bool> {
        let Some(name) = &self.name else { return Ok(true) };
        Ok(kind_at(self.folder.as_fd(), name)?.ok_or(Errno::ENOENT)? == SFlag::S_IFDIR)
    }
}

/// What the names of [`Staging`]'s folders begin with.
const STAGING: &str = ".lighter-cp-";

/// What is copied, beside the place where it is to be.
struct Staging {
    folder: OwnedFd,
    own_name: String,
    /// Locked, by which others see that somebody is at it.
    place: Flock<OwnedFd>,
    name: OsString,
}

impl Staging {
    /// Finds out by the rules of docker-cp(1) in which folder the copy has which name.
    fn make(to: &Place<'_>, is_folder: bool, (source_name, content): (Option<OsString>, bool)) -> io::Result<Self> {
        let wants_folder = to.path.as_os_str().as_encoded_bytes().ends_with(b"/");
        let (folder, name) = match folder(to) {
            // an existing folder takes the copy in, or takes its content
            Ok(folder) if is_folder && (content || source_name.is_none()) => (folder, OsString::from(".")),
            Ok(folder) => (folder, source_name.ok_or(Errno::EISDIR)?),
            Err(Errno::ENOENT) if wants_folder && !is_folder => return Err(Errno::ENOTDIR.into()),
            Err(Errno::ENOTDIR) if is_folder => return Err(Errno::ENOTDIR.into()),
            Err(Errno::ENOENT | Errno::ENOTDIR) => {
                let Spot { folder, name } = spot(to)?;
                (folder, name.ok_or(Errno::EISDIR)?)
            }
            Err(errno) => return Err(errno.into()),
        };
        Self::within(folder, name)
    }

    /// Makes an empty one in the folder in which the copy is to have this name, or to be joined with it: `.`.
    fn within(folder: OwnedFd, name: OsString) -> io::Result<Self> {
        remove_abandoned(folder.as_fd())?;
        loop {
            let own_name = format!("{STAGING}{}", &crate::random_name()[..16]);
            mkdirat(&folder, own_name.as_str(), Mode::S_IRWXU)?;
            let place = match open_folder(folder.as_fd(), &CString::new(own_name.as_str())?) {
                Err(Errno::ENOENT) => continue, // taken for abandoned before it was locked
                place => Flock::lock(place?, FlockArg::LockExclusiveNonblock),
            };
            match place {
                Ok(place) if fstat(&*place)?.st_nlink > 0 => return Ok(Self { folder, own_name, place, name }),
                Ok(_) | Err((_, Errno::EWOULDBLOCK)) => {}
                Err((_, errno)) => return Err(errno.into()),
            }
        }
    }

    /// Copies the source under the name `copy`.
    fn fill(&self, source: &Spot, options: CopyOptions) -> io::Result<()> {
        match &source.name {
            Some(name) => {
                copy_up::copy_named(source.folder.as_fd(), self.place.as_fd(), name)?;
                renameat(&*self.place, name.as_os_str(), &*self.place, "copy")?;
            }
            None => {
                mkdirat(&*self.place, "copy", Mode::S_IRWXU)?;
                copy_up::copy_whole(source.folder.as_fd(), open_folder(self.place.as_fd(), c"copy")?.as_fd())?;
            }
        }
        if options.archive { Ok(()) } else { give_to_root(self.place.as_fd(), c"copy") }
    }

    fn publish(&self) -> io::Result<()> {
        let copy = CString::from(c"copy");
        match self.name == "." {
            true => merge_content(open_folder(self.place.as_fd(), &copy)?.as_fd(), self.folder.as_fd()),
            false => {
                let name = CString::new(self.name.as_encoded_bytes())?;
                merge(self.place.as_fd(), &copy, self.folder.as_fd(), &name)
            }
        }
    }

    fn remove(&self) -> io::Result<()> {
        remove_tree_at(self.folder.as_fd(), self.own_name.as_str())
    }
}

/// Removes what copies that were killed have left in a folder; what cannot be removed is nobody's harm.
fn remove_abandoned(folder: BorrowedFd<'_>) -> io::Result<()> {
    for name in names(folder)?.iter().filter(|name| name.to_bytes().starts_with(STAGING.as_bytes())) {
        let Ok(place) = open_folder(folder, name) else { continue };
        if Flock::lock(place, FlockArg::LockExclusiveNonblock).is_ok() {
            let _ = remove_tree_at(folder, name.as_c_str());
        }
    }
    Ok(())
}

/// Moves `from` to `name` in `folder`: folders are joined, everything else takes the place of what is there.
///
/// What is mounted in the container stays so. The kernel would not say that it is: whose place is taken from outside of the mount
/// namespace is unmounted there, and the container would lose its volume.
fn merge(at: BorrowedFd<'_>, from: &CStr, folder: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    let join = || merge_content(open_folder(at, from)?.as_fd(), open_folder(folder, name)?.as_fd());
    if is_mount_point(folder, name)? {
        return join().map_err(|error| match error.raw_os_error() {
            Some(libc::ENOTDIR) => Errno::EBUSY.into(),
            _ => error,
        });
    }
    match renameat(at, from, folder, name) {
        Err(Errno::EEXIST | Errno::ENOTEMPTY) => join(),
        Err(Errno::EXDEV) => copy_over(at, from, folder, name),
        renamed => Ok(renamed?),
    }
}

fn merge_content(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<()> {
    names(from)?.iter().try_for_each(|name| merge(from, name, to, name))
}

/// As [`merge`], to another file system: that of a volume.
fn copy_over(at: BorrowedFd<'_>, from: &CStr, folder: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    let os_name = |name: &CStr| OsStr::from_bytes(name.to_bytes()).to_owned();
    let staging = Staging::within(folder.try_clone_to_owned()?, os_name(name))?;
    let source = Spot { folder: at.try_clone_to_owned()?, name: Some(os_name(from)) };
    let copied = staging.fill(&source, CopyOptions { archive: true, ..CopyOptions::default() });
    copied.and_then(|()| staging.publish()).and(staging.remove())
}

/// Returns whether something is mounted on `name` in `folder`, in whatever mount namespace that is.
fn is_mount_point(folder: BorrowedFd<'_>, name: &CStr) -> io::Result<bool> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    match openat2(folder, name, OpenHow::new().flags(flags).resolve(ResolveFlag::RESOLVE_NO_XDEV)) {
        Ok(_) | Err(Errno::ENOENT) => Ok(false),
        Err(Errno::EXDEV) => Ok(true),
        Err(errno) => Err(errno.into()),
    }
}

fn give_to_root(at: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    if kind_at(at, OsStr::new(name.to_str().unwrap_or_default()))? == Some(SFlag::S_IFDIR) {
        let folder = open_folder(at, name)?;
        names(folder.as_fd())?.iter().try_for_each(|name| give_to_root(folder.as_fd(), name))?;
    }
    let status = fstatat(at, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    if (status.st_uid, status.st_gid) != (0, 0) {
        fchownat(at, name, Some(Uid::from_raw(0)), Some(Gid::from_raw(0)), AtFlags::AT_SYMLINK_NOFOLLOW)?;
    }
    Ok(())
}

fn remove(place: &Place<'_>) -> io::Result<()> {
    let spot = match spot(place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        spot => spot?,
    };
    let Some(name) = spot.name else { return Err(Errno::EBUSY.into()) };
    if is_mount_point(spot.folder.as_fd(), &CString::new(name.as_encoded_bytes())?)? {
        return Err(Errno::EBUSY.into());
    }
    match unlinkat(&spot.folder, name.as_os_str(), UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(Errno::EISDIR) => remove_tree_at(spot.folder.as_fd(), name.as_os_str()),
        Err(errno) => Err(errno.into()),
    }
}

fn open_folder(at: BorrowedFd<'_>, name: &CStr) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat(at, name, flags, Mode::empty())
}

fn kind_at(at: BorrowedFd<'_>, name: &OsStr) -> nix::Result<Option<SFlag>> {
    match fstatat(at, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(status) => Ok(Some(SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT)),
        Err(Errno::ENOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Opens the folder that a path leads to.
fn folder(place: &Place<'_>) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let inside = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    openat2(place.root, place.path, OpenHow::new().flags(flags).resolve(inside))
}

/// Opens the folder that holds the last name of a path.
fn spot(place: &Place<'_>) -> io::Result<Spot> {
    let path = clean(place.path);
    let parent = path.parent().unwrap_or(Path::new("/"));
    let folder = folder(&Place { path: parent, ..*place })?;
    Ok(Spot { folder, name: path.file_name().map(OsStr::to_owned) })
}

/// Returns the path without `.`, double slashes and a slash at the end; `..` stays for the kernel.
fn clean(path: &Path) -> PathBuf {
    path.components().filter(|part| *part != Component::CurDir).collect()
}

/// Follows the link that a path may end with, and the next ones.
fn resolved(place: &Place<'_>) -> io::Result<PathBuf> {
    let mut path = clean(place.path);
    for _ in 0..MOST_LINKS {
        let Spot { folder, name } = spot(&Place { path: &path, ..*place })?;
        let Some(name) = name else { return Ok(path) };
        match readlinkat(&folder, name.as_os_str()) {
            Ok(link) => path = path.parent().unwrap_or(Path::new("/")).join(link),
            Err(Errno::EINVAL) => return Ok(path),
            Err(errno) => return Err(errno.into()),
        }
    }
    Err(Errno::ELOOP.into())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::symlink;

    use super::*;

    /// Copies within one folder that is the root of both sides.
    fn copied(dir: &Path, from: &str, to: &str, options: CopyOptions) -> io::Result<()> {
        let root = File::open(dir).unwrap();
        let place = |path| Place { root: root.as_fd(), path: Path::new(path) };
        copy(&place(from), &place(to), CopyOptions { archive: true, ..options })
    }

    fn world() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a/sub")).unwrap();
        fs::create_dir_all(dir.path().join("b/a")).unwrap();
        fs::write(dir.path().join("a/file"), "new").unwrap();
        fs::write(dir.path().join("b/a/file"), "old").unwrap();
        fs::write(dir.path().join("b/a/kept"), "kept").unwrap();
        dir
    }

    fn read(dir: &Path, path: &str) -> String {
        fs::read_to_string(dir.join(path)).unwrap_or_default()
    }

    #[test]
    fn what_killed_copies_have_left_goes_with_the_next_one_and_that_of_others_stays() {
        let dir = world();
        let left = |name: &str| dir.path().join("b").join(format!("{STAGING}{name}"));
        for name in ["killed", "working"] {
            fs::create_dir_all(left(name).join("copy")).unwrap();
        }
        let working = File::open(left("working")).unwrap();
        let working = Flock::lock(working, FlockArg::LockExclusive).map_err(|(_, errno)| errno).unwrap();
        copied(dir.path(), "/a/file", "/b", CopyOptions::default()).unwrap();
        assert_eq!(read(dir.path(), "b/file"), "new");
        assert!(!left("killed").exists() && left("working").exists());
        drop(working);
        copied(dir.path(), "/a/file", "/b", CopyOptions::default()).unwrap();
        assert_eq!(fs::read_dir(dir.path().join("b")).unwrap().count(), 2, "b/a and b/file");
    }

    #[test]
    fn files_and_folders_go_where_docker_puts_them() {
        let dir = world();
        let at = dir.path();
        copied(at, "/a/file", "/c", CopyOptions::default()).unwrap();
        copied(at, "/a/file", "/b", CopyOptions::default()).unwrap();
        copied(at, "/a", "/d", CopyOptions::default()).unwrap();
        copied(at, "/a", "/b", CopyOptions::default()).unwrap();
        copied(at, "/a/.", "/e", CopyOptions::default()).unwrap();
        assert_eq!(["c", "b/file", "d/file", "b/a/file", "e/file"].map(|path| read(at, path)), ["new"; 5]);
        assert_eq!(read(at, "b/a/kept"), "kept");
        assert!(at.join("d/sub").is_dir());
        for (from, to) in [("/absent", "/x"), ("/a/file", "/absent/"), ("/a/file", "/no/x"), ("/a", "/c")] {
            assert!(copied(at, from, to, CopyOptions::default()).is_err(), "{from} {to}");
        }
        let left =
            fs::read_dir(at).unwrap().filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().starts_with('.'));
        assert_eq!(left.count(), 0, "nothing half made is left");
    }

    #[test]
    fn links_lead_nowhere_outside() {
        let dir = world();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "x").unwrap();
        symlink(outside.path(), dir.path().join("door")).unwrap();
        symlink(outside.path().join("secret"), dir.path().join("key")).unwrap();
        let follow = CopyOptions { follow: true, ..CopyOptions::default() };
        assert!(copied(dir.path(), "/key", "/out", follow).is_err());
        assert!(copied(dir.path(), "/a/file", "/door/file", CopyOptions::default()).is_err());
        assert!(!outside.path().join("file").exists());
        copied(dir.path(), "/key", "/out", CopyOptions::default()).unwrap();
        assert!(dir.path().join("out").is_symlink(), "a link is copied as a link");
    }
}
