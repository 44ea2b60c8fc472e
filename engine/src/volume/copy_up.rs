//! First use of a volume: what the image has at the mount point is copied into it, as Docker does.
//!
//! Runs in the monitor. Only while the volume is empty; a copy that was cut short begins anew or goes on. The volume's directory
//! stays the one it is, as other containers may have it mounted:
//!
//! ```text
//! image ─ copied to `_copying` ─ on the disk ─ renamed to `_copied` ─ moved, name by name, to `_data`
//! ```
//! Nothing can be moved to where options of the volume have mounted something: that is copied to as it is.

use std::ffi::{CStr, CString, OsStr};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use lighter_images::{DEEPEST, TOO_DEEP, regular_file};
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat, openat2, readlinkat, renameat};
use nix::sys::stat::{FileStat, Mode, SFlag, UtimensatFlags, fchmod, fstat, fstatat, mkdirat, mknodat, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid, fchownat, symlinkat};

use super::{Volume, VolumeError};
use crate::runtime::trace::{self, Effect};

/// Copies `target` of the root filesystem into the volume if the volume is empty and the image has a directory there.
pub(crate) fn copy_up(rootfs: &Path, target: &str, volume: &Volume) -> Result<(), VolumeError> {
    let copied = copy_if_empty(rootfs, target, &volume.mountpoint, !volume.options.is_empty());
    copied.map_err(|source| VolumeError::CopyUp { name: volume.name.clone(), target: target.to_owned(), source })
}

fn copy_if_empty(rootfs: &Path, target: &str, mountpoint: &Path, is_mounted: bool) -> io::Result<()> {
    let (copying, copied) = (mountpoint.with_file_name("_copying"), mountpoint.with_file_name("_copied"));
    if copied.exists() {
        return finish(&copied, mountpoint);
    }
    if fs::read_dir(mountpoint)?.next().is_some() {
        return Ok(());
    }
    let root = File::open(rootfs)?;
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let inside = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    let source = match openat2(root.as_fd(), target, OpenHow::new().flags(flags).resolve(inside)) {
        Ok(source) => source,
        Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(()),
        Err(errno) => return Err(errno.into()),
    };
    let copy = if is_mounted {
        File::open(mountpoint)?
    } else {
        crate::remove_tree::remove_tree(&copying)?;
        fs::create_dir(&copying)?;
        File::open(&copying)?
    };
    let from = format!("{}/{}", rootfs.display(), target.trim_start_matches('/'));
    let effect = || Effect::CopyTree { from, to: mountpoint.display().to_string() };
    trace::step(effect, || copy_whole(source.as_fd(), copy.as_fd()))?;
    // what is listed as copied must survive a power loss
    nix::unistd::syncfs(&copy)?;
    if is_mounted {
        return Ok(());
    }
    fs::rename(&copying, &copied)?;
    finish(&copied, mountpoint)
}

/// Moves a whole copy to the volume; what another container has made there meanwhile stays.
fn finish(copied: &Path, mountpoint: &Path) -> io::Result<()> {
    let (from, to) = (File::open(copied)?, File::open(mountpoint)?);
    for name in names(from.as_fd())? {
        let moved = crate::sys::rename_to_nothing_at((from.as_fd(), &name), (to.as_fd(), &name));
        match moved.map_err(|error| error.raw_os_error()) {
            Err(Some(libc::EEXIST)) => {}
            // a file system that cannot tell
            Err(Some(libc::EINVAL)) if fstatat(&to, name.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW).is_ok() => {}
            Err(Some(libc::EINVAL)) => renameat(&from, name.as_c_str(), &to, name.as_c_str())?,
            Err(errno) => return Err(io::Error::from_raw_os_error(errno.unwrap_or(libc::EIO))),
            Ok(()) => {}
        }
    }
    copy_metadata(from.as_fd(), to.as_fd(), &fstat(&from)?)?;
    to.sync_all()?;
    crate::remove_tree::remove_tree(copied)?;
    File::open(mountpoint.parent().unwrap_or(Path::new("/")))?.sync_all()
}

/// Copies what `source` has under `name` into `target`, where nothing has that name.
pub(crate) fn copy_named(source: BorrowedFd<'_>, target: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
    copy_entry(source, target, &CString::new(name.as_encoded_bytes())?, DEEPEST)
}

/// Copies all that is in `source`, and what it is like, into the empty directory `target`.
pub(crate) fn copy_whole(source: BorrowedFd<'_>, target: BorrowedFd<'_>) -> io::Result<()> {
    copy_directory(source, target, DEEPEST)
}

/// `depth` is how many directories below this one are gone into, as each takes descriptors and a place on the stack.
fn copy_directory(source: BorrowedFd<'_>, target: BorrowedFd<'_>, depth: usize) -> io::Result<()> {
    for name in names(source)? {
        copy_entry(source, target, &name, depth)?;
    }
    copy_metadata(source, target, &fstat(source)?)
}

/// Lists what is in a directory.
pub(crate) fn names(directory: BorrowedFd<'_>) -> io::Result<Vec<CString>> {
    let again = openat(directory, ".", OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
    let mut again = Dir::from_fd(again)?;
    let names = again.iter().map(|entry| Ok(entry?.file_name().to_owned())).collect::<nix::Result<Vec<CString>>>()?;
    Ok(names.into_iter().filter(|name| name.as_c_str() != c"." && name.as_c_str() != c"..").collect())
}

fn copy_entry(source: BorrowedFd<'_>, target: BorrowedFd<'_>, name: &CStr, depth: usize) -> io::Result<()> {
    let status = fstatat(source, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    let kind = SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT;
    match kind {
        SFlag::S_IFDIR => {
            let below = depth.checked_sub(1).ok_or_else(|| io::Error::other(TOO_DEEP))?;
            mkdirat(target, name, Mode::S_IRWXU)?;
            let open = |at| open(at, name, OFlag::O_RDONLY | OFlag::O_DIRECTORY);
            copy_directory(open(source)?.as_fd(), open(target)?.as_fd(), below)
        }
        SFlag::S_IFREG => copy_file(source, target, name, &status),
        SFlag::S_IFLNK => {
            let link: CString = CString::new(readlinkat(source, name)?.into_encoded_bytes())?;
            symlinkat(link.as_c_str(), target, name)?;
            own(target, name, &status)?;
            Ok(set_times(target, name, &status)?)
        }
        _ => {
            mknodat(target, name, kind, Mode::from_bits_truncate(status.st_mode & 0o7777), status.st_rdev)?;
            own(target, name, &status)?;
            Ok(set_times(target, name, &status)?)
        }
    }
}

fn copy_file(source: BorrowedFd<'_>, target: BorrowedFd<'_>, name: &CStr, status: &FileStat) -> io::Result<()> {
    let mut from = regular_file::open(source, name)?.ok_or(Errno::ESTALE)?; // swapped meanwhile
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut to = File::from(openat(target, name, flags, Mode::S_IRUSR | Mode::S_IWUSR)?);
    io::copy(&mut from, &mut to)?; // copy_file_range(2) below: shares blocks where the file system can
    copy_metadata(from.as_fd(), to.as_fd(), status)
}

fn open(at: BorrowedFd<'_>, name: &CStr, flags: OFlag) -> nix::Result<OwnedFd> {
    openat(at, name, flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC, Mode::empty())
}

/// Owner first: chown(2) takes the setuid bit away; times last: everything before changes them.
fn copy_metadata(from: BorrowedFd<'_>, to: BorrowedFd<'_>, status: &FileStat) -> io::Result<()> {
    nix::unistd::fchown(to, Some(Uid::from_raw(status.st_uid)), Some(Gid::from_raw(status.st_gid)))?;
    fchmod(to, Mode::from_bits_truncate(status.st_mode & 0o7777))?;
    crate::sys::xattr::copy(from, to)?;
    nix::sys::stat::futimens(to, &accessed(status), &modified(status))?;
    Ok(())
}

fn own(at: BorrowedFd<'_>, name: &CStr, status: &FileStat) -> nix::Result<()> {
    let (uid, gid) = (Uid::from_raw(status.st_uid), Gid::from_raw(status.st_gid));
    fchownat(at, name, Some(uid), Some(gid), AtFlags::AT_SYMLINK_NOFOLLOW)
}

fn set_times(at: BorrowedFd<'_>, name: &CStr, status: &FileStat) -> nix::Result<()> {
    utimensat(at, name, &accessed(status), &modified(status), UtimensatFlags::NoFollowSymlink)
}

fn accessed(status: &FileStat) -> TimeSpec {
    TimeSpec::new(status.st_atime, status.st_atime_nsec)
}

fn modified(status: &FileStat) -> TimeSpec {
    TimeSpec::new(status.st_mtime, status.st_mtime_nsec)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    #[test]
    fn an_empty_volume_gets_the_images_content_and_a_used_one_keeps_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let (rootfs, volume) = (dir.path().join("rootfs"), dir.path().join("vol/_data"));
        fs::create_dir_all(rootfs.join("data/sub")).unwrap();
        fs::create_dir_all(&volume).unwrap();
        fs::write(rootfs.join("data/sub/file"), "hello").unwrap();
        fs::set_permissions(rootfs.join("data/sub/file"), PermissionsExt::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", rootfs.join("data/link")).unwrap();
        copy_if_empty(&rootfs, "/data", &volume, false).unwrap();
        assert_eq!(fs::read_to_string(volume.join("sub/file")).unwrap(), "hello");
        let (from, to) =
            (fs::metadata(rootfs.join("data/sub/file")).unwrap(), fs::metadata(volume.join("sub/file")).unwrap());
        assert_eq!((from.mode(), from.mtime_nsec()), (to.mode(), to.mtime_nsec()));
        assert_eq!(fs::read_link(volume.join("link")).unwrap(), Path::new("/etc/passwd"));
        fs::write(rootfs.join("data/new"), "").unwrap();
        copy_if_empty(&rootfs, "/data", &volume, false).unwrap();
        assert!(!volume.join("new").exists());
    }

    #[test]
    fn who_has_the_volume_already_sees_what_is_copied_and_a_copy_that_was_cut_short_is_finished() {
        let dir = tempfile::tempdir().unwrap();
        let (rootfs, volume) = (dir.path().join("rootfs"), dir.path().join("vol/_data"));
        fs::create_dir_all(rootfs.join("data/sub")).unwrap();
        fs::create_dir_all(&volume).unwrap();
        fs::write(rootfs.join("data/file"), "hello").unwrap();
        let inode = || fs::metadata(&volume).unwrap().ino();
        let before = inode();
        copy_if_empty(&rootfs, "/data", &volume, false).unwrap();
        assert_eq!(inode(), before);
        let copied = volume.with_file_name("_copied");
        // as if it had been killed after the first name
        fs::create_dir(&copied).unwrap();
        fs::rename(volume.join("sub"), copied.join("sub")).unwrap();
        fs::write(copied.join("file"), "of the copy").unwrap();
        copy_if_empty(&rootfs, "/data", &volume, false).unwrap();
        assert!(volume.join("sub").is_dir() && !copied.exists());
        assert_eq!(fs::read_to_string(volume.join("file")).unwrap(), "hello", "what is there stays");
    }

    #[test]
    fn a_link_in_the_image_leads_nowhere_outside_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let (rootfs, volume) = (dir.path().join("rootfs"), dir.path().join("vol/_data"));
        fs::create_dir_all(&rootfs).unwrap();
        fs::create_dir_all(&volume).unwrap();
        std::os::unix::fs::symlink(dir.path().join("secret"), rootfs.join("data")).unwrap();
        fs::create_dir(dir.path().join("secret")).unwrap();
        fs::write(dir.path().join("secret/key"), "x").unwrap();
        copy_if_empty(&rootfs, "/data", &volume, false).unwrap();
        assert!(!volume.join("key").exists());
    }

    #[test]
    fn what_is_mounted_is_filled_where_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let (rootfs, volume) = (dir.path().join("rootfs"), dir.path().join("vol/_data"));
        fs::create_dir_all(rootfs.join("data")).unwrap();
        fs::create_dir_all(&volume).unwrap();
        fs::write(rootfs.join("data/file"), "hello").unwrap();
        let before = fs::metadata(&volume).unwrap().ino();
        copy_if_empty(&rootfs, "/data", &volume, true).unwrap();
        assert_eq!(fs::read_to_string(volume.join("file")).unwrap(), "hello");
        assert_eq!(fs::metadata(&volume).unwrap().ino(), before, "a mount point cannot be replaced");
    }
}
