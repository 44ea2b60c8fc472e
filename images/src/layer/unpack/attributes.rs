//! Owner, mode, extended attributes and times of what was just made.
//!
//! Runs in the shell command's process, in a layer's extracting thread. The order matters: chown(2) clears setuid bits
//! and file capabilities, so it comes first; times come last, since everything else changes them.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::fcntl::AtFlags;
use nix::sys::stat::{FchmodatFlags, FileStat, Mode, UtimensatFlags, fchmod, fchmodat, futimens, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid, fchown, fchownat};

use super::super::tar::{Entry, Timestamp};
use crate::sys::xattr;

/// Extended attributes with their values.
pub(crate) type Xattrs = Vec<(Vec<u8>, Vec<u8>)>;

/// What a layer says about an entry besides its kind and content.
pub(crate) struct Attributes<'a> {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mode: u32,
    pub(crate) mtime: Timestamp,
    pub(crate) xattrs: &'a [(Vec<u8>, Vec<u8>)],
}

impl<'a> Attributes<'a> {
    /// Takes the attributes of an archive's entry.
    pub(super) fn of(entry: &'a Entry) -> Attributes<'a> {
        let Entry { uid, gid, mode, mtime, .. } = *entry;
        Attributes { uid, gid, mode, mtime, xattrs: &entry.xattrs }
    }

    /// Takes the attributes of a file of a lower layer; `xattrs` are those of [`restorable_xattrs`].
    pub(super) fn of_file(stat: &FileStat, xattrs: &'a [(Vec<u8>, Vec<u8>)]) -> Attributes<'a> {
        let mtime = Timestamp { seconds: stat.st_mtime, nanoseconds: stat.st_mtime_nsec as u32 };
        Attributes { uid: stat.st_uid, gid: stat.st_gid, mode: stat.st_mode & 0o7777, mtime, xattrs }
    }

    /// Applies everything to an open regular file.
    pub(crate) fn apply_to_file(&self, file: BorrowedFd<'_>) -> io::Result<()> {
        self.apply_but_times(file)?;
        let time = time_spec(self.mtime);
        Ok(futimens(file, &time, &time)?)
    }

    /// Applies everything but the times, which a directory gets when nothing is made in it any more.
    pub(crate) fn apply_but_times(&self, file: BorrowedFd<'_>) -> io::Result<()> {
        fchown(file, Some(Uid::from_raw(self.uid)), Some(Gid::from_raw(self.gid)))?;
        fchmod(file, Mode::from_bits_truncate(self.mode))?;
        self.set_xattrs(|name, value| xattr::set(file, name, value))
    }

    /// Applies everything to `name` in `parent`, which is a symbolic link, a device or a pipe and must not be opened.
    pub(crate) fn apply_at(&self, parent: BorrowedFd<'_>, name: &[u8], is_symlink: bool) -> io::Result<()> {
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        fchownat(parent, name, Some(uid), Some(gid), AtFlags::AT_SYMLINK_NOFOLLOW)?;
        if !is_symlink {
            // fchmodat(2) has no "do not follow" below kernel 6.6; `name` was made by us, in a directory that nobody
            // else can write to, and is no link.
            fchmodat(parent, name, Mode::from_bits_truncate(self.mode), FchmodatFlags::FollowSymlink)?;
        }
        self.set_xattrs(|xattr, value| xattr::set_at(parent, name, xattr, value))?;
        let time = time_spec(self.mtime);
        Ok(utimensat(parent, name, &time, &time, UtimensatFlags::NoFollowSymlink)?)
    }

    fn set_xattrs(&self, set: impl Fn(&[u8], &[u8]) -> io::Result<()>) -> io::Result<()> {
        for (name, value) in self.xattrs.iter().filter(|(name, _)| is_restored(name)) {
            match set(name, value) {
                Err(error) if may_be_lost(name, &error) => {}
                result => result?,
            }
        }
        Ok(())
    }
}

/// Sets a directory's times: modification as given, access alike.
pub(super) fn set_times(directory: impl AsFd, mtime: Timestamp) -> io::Result<()> {
    let time = time_spec(mtime);
    Ok(futimens(directory, &time, &time)?)
}

/// Reads those extended attributes of `name` in `parent` that a layer may carry.
pub(crate) fn restorable_xattrs(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<Xattrs> {
    restorable(xattr::list_at(parent, name)?, |xattr| xattr::get_at(parent, name, xattr))
}

/// Reads those of an open file's extended attributes, whose `names` are given, that a layer may carry.
pub(crate) fn restorable_of_file(file: BorrowedFd<'_>, names: Vec<Vec<u8>>) -> io::Result<Xattrs> {
    restorable(names, |xattr| xattr::get(file, xattr))
}

fn restorable(names: Vec<Vec<u8>>, get: impl Fn(&[u8]) -> io::Result<Option<Vec<u8>>>) -> io::Result<Xattrs> {
    let mut xattrs = Vec::new();
    for xattr in names.into_iter().filter(|xattr| is_restored(xattr)) {
        if let Some(value) = get(&xattr)? {
            xattrs.push((xattr, value));
        }
    }
    Ok(xattrs)
}

/// Says which attributes an image may set: file capabilities, access lists and the user's own.
///
/// Not `trusted.`, which is where overlayfs keeps its marks, not overlayfs's marks in `user.`, and not the labels and
/// hashes of the host's security modules.
fn is_restored(name: &[u8]) -> bool {
    let is_user = name.starts_with(b"user.") && !name.starts_with(b"user.overlay.");
    is_user || name == b"security.capability" || name.starts_with(b"system.posix_acl_")
}

/// A file system without attributes loses them, as with every other tool; a lost capability would break the program.
/// user.* is for files and directories only (xattr(7)), on others EPERM.
fn may_be_lost(name: &[u8], error: &io::Error) -> bool {
    name != b"security.capability" && matches!(error.raw_os_error(), Some(libc::ENOTSUP | libc::EPERM))
}

fn time_spec(time: Timestamp) -> TimeSpec {
    TimeSpec::new(time.seconds, i64::from(time.nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlayfs_marks_and_security_labels_are_not_an_images_to_set() {
        for name in [&b"user.mime"[..], b"security.capability", b"system.posix_acl_access"] {
            assert!(is_restored(name));
        }
        for name in [&b"trusted.overlay.opaque"[..], b"trusted.x", b"user.overlay.redirect", b"security.selinux", b"x"]
        {
            assert!(!is_restored(name));
        }
    }
}
