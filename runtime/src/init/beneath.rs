//! Opening and making paths beneath a root directory, from which no link leads out.
//!
//! Every path of a container goes through here before the container's program exists: the kernel
//! resolves it with the root directory as `/` (openat2(2), `RESOLVE_IN_ROOT`), also when somebody in
//! another container exchanges directories for links meanwhile. No path is joined as text and used.

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat, openat2, readlinkat};
use nix::sys::stat::{Mode, mkdirat};

/// Links followed for one path while making it; the kernel's own limit for resolving (path_resolution(7)).
const MAX_LINKS: usize = 40;
/// Attempts at a path that others rename at the same moment, which openat2(2) answers with EAGAIN.
const ATTEMPTS: usize = 128;

/// A directory that is `/` to every path opened through it.
#[derive(Debug)]
pub(super) struct RootDirectory(OwnedFd);

impl RootDirectory {
    /// Opens a directory by a path of the host (or of the container, once inside).
    pub(super) fn open(path: &Path) -> nix::Result<Self> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        openat(AT_FDCWD, path, flags, Mode::empty()).map(Self)
    }

    /// Takes a directory that is open already.
    pub(super) fn of(directory: OwnedFd) -> Self {
        Self(directory)
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Opens a path; links are followed inside the root.
    pub(super) fn open_path(&self, path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
        self.resolve(path, flags, ResolveFlag::empty())
    }

    /// Opens a path none of whose parts may be a link: ELOOP.
    pub(super) fn open_without_links(&self, path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
        self.resolve(path, flags, ResolveFlag::RESOLVE_NO_SYMLINKS)
    }

    fn resolve(&self, path: &Path, flags: OFlag, more: ResolveFlag) -> nix::Result<OwnedFd> {
        let resolve = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS | more;
        let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC).resolve(resolve);
        let mut result = Err(Errno::EAGAIN);
        for _ in 0..ATTEMPTS {
            result = openat2(self.as_fd(), path, how);
            if !matches!(result, Err(Errno::EAGAIN | Errno::EINTR)) {
                break;
            }
        }
        result
    }

    /// Opens a directory, which is made with its parents (mode 0755) where there is none.
    pub(super) fn ensure_directory(&self, path: &Path) -> nix::Result<OwnedFd> {
        self.ensure(path, MAX_LINKS, OFlag::O_PATH | OFlag::O_DIRECTORY, |parent, name| {
            mkdirat(parent, name, Mode::from_bits_truncate(0o755))
        })
    }

    /// Opens a file of any kind but a directory, which is made empty (mode 0644) where there is none.
    pub(super) fn ensure_file(&self, path: &Path) -> nix::Result<OwnedFd> {
        self.ensure(path, MAX_LINKS, OFlag::O_PATH, |parent, name| {
            let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_WRONLY | OFlag::O_CLOEXEC;
            openat(parent, name, flags, Mode::from_bits_truncate(0o644)).map(drop)
        })
    }

    fn ensure(
        &self,
        path: &Path,
        links: usize,
        flags: OFlag,
        make: fn(BorrowedFd<'_>, &OsStr) -> nix::Result<()>,
    ) -> nix::Result<OwnedFd> {
        let missing = match self.open_path(path, flags) {
            Err(Errno::ENOENT) => Errno::ENOENT,
            result => return result,
        };
        // No name: the path ends in `..` or is the root, which cannot be made.
        let (Some(above), Some(name)) = (path.parent(), path.file_name()) else { return Err(missing) };
        let parent = self.ensure_directory(above)?;
        match make(parent.as_fd(), name) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno),
        }
        match self.open_path(path, flags) {
            // The name exists and leads nowhere: a link whose target is to be made, inside the root.
            Err(Errno::ENOENT) if links > 0 => {
                let target: PathBuf = readlinkat(parent.as_fd(), name)?.into();
                self.ensure(&above.join(target), links - 1, flags, make)
            }
            result => result,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A directory with a canary beside the root, which no path may reach.
    fn root() -> (tempfile::TempDir, RootDirectory) {
        let outer = tempfile::tempdir().unwrap();
        std::fs::create_dir(outer.path().join("root")).unwrap();
        std::fs::create_dir(outer.path().join("canary")).unwrap();
        let root = RootDirectory::open(&outer.path().join("root")).unwrap();
        (outer, root)
    }

    #[test]
    fn a_legitimate_link_is_followed_and_its_target_made() {
        let (outer, root) = root();
        std::fs::create_dir(outer.path().join("root/var")).unwrap();
        symlink("/run", outer.path().join("root/var/run")).unwrap();
        root.ensure_directory(Path::new("/var/run/app")).unwrap();
        assert!(outer.path().join("root/run/app").is_dir());
        symlink("../run/resolv", outer.path().join("root/var/resolv.conf")).unwrap();
        root.ensure_file(Path::new("/var/resolv.conf")).unwrap();
        assert!(outer.path().join("root/run/resolv").is_file());
    }

    #[test]
    fn no_link_leads_out() {
        let (outer, root) = root();
        let canary = outer.path().join("canary");
        symlink(&canary, outer.path().join("root/absolute")).unwrap();
        symlink("../canary", outer.path().join("root/relative")).unwrap();
        for path in ["/absolute/made", "/relative/made", "/../canary/made"] {
            root.ensure_directory(Path::new(path)).unwrap();
        }
        assert_eq!(std::fs::read_dir(&canary).unwrap().count(), 0);
        let inside = canary.strip_prefix("/").unwrap();
        assert!(outer.path().join("root").join(inside).join("made").is_dir());
    }

    #[test]
    fn links_in_a_circle_end() {
        let (outer, root) = root();
        symlink("/b", outer.path().join("root/a")).unwrap();
        symlink("/a", outer.path().join("root/b")).unwrap();
        assert_eq!(root.ensure_directory(Path::new("/a/x")).unwrap_err(), Errno::ELOOP);
    }

    #[test]
    fn links_can_be_forbidden() {
        let (outer, root) = root();
        symlink("/elsewhere", outer.path().join("root/proc")).unwrap();
        std::fs::create_dir(outer.path().join("root/elsewhere")).unwrap();
        assert!(root.open_path(Path::new("/proc"), OFlag::O_PATH).is_ok());
        assert_eq!(root.open_without_links(Path::new("/proc"), OFlag::O_PATH).unwrap_err(), Errno::ELOOP);
    }

    #[test]
    fn magic_links_are_no_paths() {
        let root = RootDirectory::open(Path::new("/")).unwrap();
        assert_eq!(root.open_path(Path::new("/proc/self/cwd"), OFlag::O_PATH).unwrap_err(), Errno::ELOOP);
    }
}
