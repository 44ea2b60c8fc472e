//! Mounting with mount(2), where the kernel (or a filter around us) lacks the calls on descriptors, or these cannot
//! say what is asked for.
//!
//! The target is named by `/proc/self/fd/N` of the host's procfs, so that it is the directory that was
//! opened beneath the root, not what its path may lead to by now.

use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sys::statvfs::{FsFlags, fstatvfs};

use crate::plan::MountOptions;
use crate::sys::mount::Attributes;

/// Returns the path of what a descriptor holds.
fn path_of(descriptor: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", descriptor.as_raw_fd())
}

/// Mounts a new file system.
pub(super) fn filesystem(
    (fstype, source): (&str, &str),
    options: &MountOptions,
    target: BorrowedFd<'_>,
) -> nix::Result<()> {
    let entry = |(key, value): &(String, Option<String>)| match value {
        Some(value) => format!("{key}={value}"),
        None => key.clone(),
    };
    let data: Vec<String> = options.data.iter().map(entry).collect();
    let flags = flags(options.attributes.set) | MsFlags::from_bits_retain(options.flags.set);
    mount(Some(source), path_of(target).as_str(), Some(fstype), flags, Some(data.join(",").as_str()))
}

/// Mounts a file or directory of the host once more.
pub(super) fn bind(source: BorrowedFd<'_>, recursive: bool, target: BorrowedFd<'_>) -> nix::Result<()> {
    let flags = if recursive { MsFlags::MS_BIND | MsFlags::MS_REC } else { MsFlags::MS_BIND };
    mount(Some(path_of(source).as_str()), path_of(target).as_str(), None::<&str>, flags, None::<&str>)
}

/// Changes the flags and the propagation of the mount `mounted` is the root of.
pub(super) fn change(mounted: BorrowedFd<'_>, recursive: bool, change: Attributes) -> nix::Result<()> {
    let (path, none) = (path_of(mounted), None::<&str>);
    let recursion = if recursive { MsFlags::MS_REC } else { MsFlags::empty() };
    if change.set | change.clear != 0 {
        // mount(2) changes the flags of one mount at a time.
        if recursive {
            return Err(Errno::ENOSYS);
        }
        let kept = current(mounted)? & !change.clear;
        let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | flags(kept | change.set);
        mount(none, path.as_str(), none, flags, none)?;
    }
    if change.propagation != 0 {
        let flags = MsFlags::from_bits_truncate(change.propagation) | recursion;
        mount(none, path.as_str(), none, flags, none)?;
    }
    Ok(())
}

/// Returns the `MOUNT_ATTR_*` a mount has: mount(2) sets all flags at once, and forgets those not repeated.
fn current(mounted: BorrowedFd<'_>) -> nix::Result<u64> {
    let flags = fstatvfs(mounted)?.flags();
    let table = [
        (FsFlags::ST_RDONLY, 0x1),
        (FsFlags::ST_NOSUID, 0x2),
        (FsFlags::ST_NODEV, 0x4),
        (FsFlags::ST_NOEXEC, 0x8),
        (FsFlags::ST_NOATIME, 0x10),
        (FsFlags::ST_NODIRATIME, 0x80),
    ];
    Ok(table.iter().filter(|(flag, _)| flags.contains(*flag)).fold(0, |all, (_, bit)| all | bit))
}

/// Translates `MOUNT_ATTR_*` to `MS_*`.
fn flags(attributes: u64) -> MsFlags {
    let table = [
        (0x1, MsFlags::MS_RDONLY),
        (0x2, MsFlags::MS_NOSUID),
        (0x4, MsFlags::MS_NODEV),
        (0x8, MsFlags::MS_NOEXEC),
        (0x10, MsFlags::MS_NOATIME),
        (0x20, MsFlags::MS_STRICTATIME),
        (0x80, MsFlags::MS_NODIRATIME),
    ];
    table.iter().filter(|(bit, _)| attributes & bit != 0).fold(MsFlags::empty(), |all, (_, flag)| all | *flag)
}
