//! Filling a new tmpfs with what the image has in its place (`tmpcopyup`).
//!
//! Before the tmpfs is attached anywhere, so nobody can change it meanwhile; what is read is opened part by
//! part, no link is followed, and no mount is entered. Extended attributes are left behind: a copy has fewer
//! rights than the original, never more.

use std::collections::HashMap;
use std::ffi::{CStr, OsStr};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat, openat2, readlinkat};
use nix::libc::stat as Stat;
use nix::sys::stat::{
    FchmodatFlags, Mode, SFlag, UtimensatFlags, fchmodat, fstat, fstatat, mkdirat, mknodat, utimensat,
};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid, fchownat, linkat, symlinkat};

use super::error::{Act, InitError};

/// A copy under way.
struct Copy<'a> {
    /// The root of the new file system.
    into: BorrowedFd<'a>,
    /// Where a file with several names was first copied to, by device and inode.
    first_names: HashMap<(u64, u64), PathBuf>,
    /// Where the container will see it.
    place: &'a Path,
}

/// Copies what the directory `from` holds into the empty directory `into`, which takes its owner and times.
///
/// `place` is for messages.
pub(super) fn fill(from: BorrowedFd<'_>, into: BorrowedFd<'_>, place: &Path) -> Result<(), InitError> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let from = openat(from, c".", flags, Mode::empty()).act_on("read", place)?;
    let root = openat(into, c".", flags, Mode::empty()).act_on("read", place)?;
    let stat = fstat(&from).act_on("look at", place)?;
    let mut copy = Copy { into, first_names: HashMap::new(), place };
    copy.directory(from, &root, Path::new(""))?;
    finish(root.as_fd(), c".", &stat, false).act_on("copy", place)
}

impl Copy<'_> {
    fn directory(&mut self, from: OwnedFd, into: &OwnedFd, path: &Path) -> Result<(), InitError> {
        let mut entries = Dir::from_fd(from.try_clone().act_on("read", self.place)?).act_on("read", self.place)?;
        for entry in entries.iter() {
            let entry = entry.act_on("read", &self.place.join(path))?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            let path = path.join(OsStr::from_bytes(name.to_bytes()));
            self.entry(from.as_fd(), into, name, &path)?;
        }
        Ok(())
    }

    fn entry(&mut self, from: BorrowedFd<'_>, into: &OwnedFd, name: &CStr, path: &Path) -> Result<(), InitError> {
        let shown = self.place.join(path);
        let stat = fstatat(from, name, AtFlags::AT_SYMLINK_NOFOLLOW).act_on("look at", &shown)?;
        let kind = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT;
        let file = (stat.st_dev, stat.st_ino);
        if kind != SFlag::S_IFDIR && stat.st_nlink > 1 {
            if let Some(first) = self.first_names.get(&file) {
                return linkat(self.into, first, into, name, AtFlags::empty()).act_on("copy", &shown);
            }
            self.first_names.insert(file, path.to_owned());
        }
        match kind {
            SFlag::S_IFDIR => {
                mkdirat(into, name, Mode::S_IRWXU).act_on("copy", &shown)?;
                let below = openat(into, name, OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty());
                let below = below.act_on("copy", &shown)?;
                match open(from, name, OFlag::O_DIRECTORY) {
                    Ok(directory) => self.directory(directory, &below, path)?,
                    // Somebody's mount: it stays where it is, out of sight.
                    Err(Errno::EXDEV) => {}
                    Err(errno) => return Err(errno).act_on("copy", &shown),
                }
            }
            SFlag::S_IFREG => match open(from, name, OFlag::O_NONBLOCK) {
                Ok(file) => content(file, into, name).act_on("copy", &shown)?,
                Err(Errno::EXDEV) => return Ok(()),
                Err(errno) => return Err(errno).act_on("copy", &shown),
            },
            SFlag::S_IFLNK => {
                let target = readlinkat(from, name).act_on("copy", &shown)?;
                symlinkat(target.as_os_str(), into, name).act_on("copy", &shown)?;
            }
            _ => mknodat(into, name, kind, Mode::S_IRWXU, stat.st_rdev).act_on("copy", &shown)?,
        }
        finish(into.as_fd(), name, &stat, true).act_on("copy", &shown)
    }
}

/// Opens one part of a path, which is neither a link nor a mount.
fn open(directory: BorrowedFd<'_>, name: &CStr, flags: OFlag) -> nix::Result<OwnedFd> {
    let resolve = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_XDEV;
    let flags = flags | OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat2(directory, name, OpenHow::new().flags(flags).resolve(resolve))
}

fn content(from: OwnedFd, into: &OwnedFd, name: &CStr) -> std::io::Result<()> {
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let copy = openat(into, name, flags, Mode::S_IRUSR | Mode::S_IWUSR)?;
    std::io::copy(&mut File::from(from), &mut File::from(copy)).map(drop)
}

/// Gives a copy the owner, mode and times of its original, in this order: a change of owner clears set-id
/// bits, and all before changes times.
fn finish(directory: BorrowedFd<'_>, name: &CStr, stat: &Stat, with_mode: bool) -> nix::Result<()> {
    let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    fchownat(directory, name, Some(uid), Some(gid), AtFlags::AT_SYMLINK_NOFOLLOW)?;
    let kind = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT;
    if with_mode && kind != SFlag::S_IFLNK {
        let mode = Mode::from_bits_truncate(stat.st_mode & 0o7777);
        fchmodat(directory, name, mode, FchmodatFlags::FollowSymlink)?;
    }
    let (accessed, modified) =
        (TimeSpec::new(stat.st_atime, stat.st_atime_nsec), TimeSpec::new(stat.st_mtime, stat.st_mtime_nsec));
    utimensat(directory, name, &accessed, &modified, UtimensatFlags::NoFollowSymlink)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    fn opened(path: &Path) -> OwnedFd {
        openat(nix::fcntl::AT_FDCWD, path, OFlag::O_PATH | OFlag::O_DIRECTORY, Mode::empty()).unwrap()
    }

    #[test]
    fn files_links_modes_and_times_are_copied() {
        let (from, into) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (a, b) = (from.path().join("sub/a"), from.path().join("b"));
        std::fs::create_dir(from.path().join("sub")).unwrap();
        std::fs::write(&a, "text").unwrap();
        std::fs::set_permissions(&a, PermissionsExt::from_mode(0o4750)).unwrap();
        std::fs::hard_link(&a, &b).unwrap();
        symlink("/nowhere/at/all", from.path().join("link")).unwrap();
        std::fs::set_permissions(from.path().join("sub"), PermissionsExt::from_mode(0o1711)).unwrap();
        nix::unistd::mkfifo(&from.path().join("fifo"), Mode::from_bits_truncate(0o600)).unwrap();

        fill(opened(from.path()).as_fd(), opened(into.path()).as_fd(), Path::new("/x")).unwrap();

        let (copy, original) = (into.path().join("sub/a").metadata().unwrap(), a.metadata().unwrap());
        assert_eq!(std::fs::read_to_string(into.path().join("b")).unwrap(), "text");
        assert_eq!((copy.mode(), copy.mtime_nsec()), (original.mode(), original.mtime_nsec()));
        assert_eq!(copy.ino(), into.path().join("b").metadata().unwrap().ino(), "one file with two names");
        assert_eq!(std::fs::read_link(into.path().join("link")).unwrap(), Path::new("/nowhere/at/all"));
        assert_eq!(into.path().join("sub").metadata().unwrap().mode() & 0o7777, 0o1711);
        assert_eq!(into.path().metadata().unwrap().mtime(), from.path().metadata().unwrap().mtime());
    }

    #[test]
    fn a_link_is_copied_and_not_followed() {
        let (from, into, outside) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(outside.path().join("secret"), "secret").unwrap();
        symlink(outside.path(), from.path().join("directory")).unwrap();
        symlink(outside.path().join("secret"), from.path().join("file")).unwrap();
        fill(opened(from.path()).as_fd(), opened(into.path()).as_fd(), Path::new("/x")).unwrap();
        for name in ["directory", "file"] {
            assert!(into.path().join(name).symlink_metadata().unwrap().file_type().is_symlink());
        }
    }
}
