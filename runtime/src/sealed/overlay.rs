//! A sealed view by a detached, read-only overlay file system.
//!
//! An overlay without an upper layer has nowhere to write to; its lower layers are opened by the kernel
//! with mounts of its own, so nothing that is done to the host's mounts changes it. Attached nowhere, no
//! path leads to it, and it is gone with the last process that runs from it.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::statfs::{OVERLAYFS_SUPER_MAGIC, fstatfs};
use nix::sys::statvfs::{FsFlags, fstatvfs};

use super::SELF;
use crate::sys;

// MOUNT_ATTR_*, `linux/mount.h`
const RDONLY: u64 = 0x1;
const NOSUID: u64 = 0x2;
const NODEV: u64 = 0x4;

/// Opens a program through an overlay of the directory it lies in.
pub(super) fn copy(program: &File) -> io::Result<File> {
    let path = std::fs::read_link(SELF)?;
    let (own, there) = (program.metadata()?, std::fs::metadata(&path)?);
    if (own.dev(), own.ino()) != (there.dev(), there.ino()) {
        return Err(io::Error::other(format!("`{}` is another file by now", path.display())));
    }
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::NotFound.into());
    };
    let context = sys::mount::fsopen(c"overlay")?;
    let layers = std::ffi::CString::new(layers(directory))?;
    sys::mount::fsconfig_string(context.as_fd(), c"lowerdir", &layers)?;
    sys::mount::fsconfig_create(context.as_fd())?;
    let mounted = sys::mount::fsmount(context.as_fd(), RDONLY | NOSUID | NODEV)?;
    let resolve = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS;
    let how = OpenHow::new().flags(OFlag::O_RDONLY | OFlag::O_CLOEXEC).resolve(resolve);
    let copy: File = openat2(&mounted, Path::new(name), how)?.into();
    // A layer is what lies beneath mounts: a program that is bind-mounted, file by file, is not in its directory.
    let seen = copy.metadata()?;
    if (seen.ino(), seen.size()) != (own.ino(), own.size()) {
        return Err(io::Error::other(format!("`{}` is mounted by itself", path.display())));
    }
    Ok(copy)
}

/// A directory that every host has and that lies apart from the program's: the kernel refuses layers one
/// of which contains the other, and file systems that refuse to be layers (procfs).
const OTHER_LAYER: &str = "/sys/fs";

/// Names the layers, the program's directory on top. An overlay without an upper layer needs two lower
/// ones; the other is never looked at, as only one name is opened.
fn layers(directory: &Path) -> Vec<u8> {
    let mut layers = Vec::new();
    for byte in directory.as_os_str().as_bytes() {
        if matches!(byte, b':' | b'\\') {
            layers.push(b'\\');
        }
        layers.push(*byte);
    }
    layers.push(b':');
    layers.extend(OTHER_LAYER.as_bytes());
    layers
}

/// Tells whether a file lies on a read-only overlay that is mounted nowhere.
pub(super) fn is_sealed(program: &File) -> bool {
    let is_overlay = fstatfs(program).is_ok_and(|stat| stat.filesystem_type() == OVERLAYFS_SUPER_MAGIC);
    is_overlay && fstatvfs(program).is_ok_and(|stat| stat.flags().contains(FsFlags::ST_RDONLY)) && is_detached(program)
}

/// An overlay somebody mounted read-only could be mounted again otherwise.
fn is_detached(program: &File) -> bool {
    if let Some(is_mounted) = sys::mount::is_mounted(program.as_fd()) {
        return !is_mounted;
    }
    let Ok(id) = sys::descriptor::mount_id(program.as_fd()) else { return false };
    let id = id.to_string();
    std::fs::read_to_string("/proc/self/mountinfo")
        .is_ok_and(|mounts| mounts.lines().all(|line| line.split(' ').next() != Some(&id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_mounted_is_told_from_one_that_is_not() {
        let program = File::open(SELF).unwrap();
        assert!(!is_detached(&program));
        if sys::descriptor::unique_mount_id(program.as_fd()).is_ok() {
            assert_eq!(sys::mount::is_mounted(program.as_fd()), Some(true), "it is asked of the kernel alone");
        }
    }

    #[test]
    fn separators_in_the_path_of_the_program_do_not_separate() {
        assert_eq!(layers(Path::new("/opt/a:b\\c")), b"/opt/a\\:b\\\\c:/sys/fs");
    }
}
