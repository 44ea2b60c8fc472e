//! The mount system calls that work on descriptors instead of paths.
//!
//! Runs in init, in a process that seals itself, and in the monitor. Each returns the call's error. Linux 5.2 has fsopen(2), fspick(2), fsconfig(2),
//! fsmount(2), open_tree(2) and move_mount(2); 5.12 mount_setattr(2); 6.8 statmount(2).
#![expect(unsafe_code, reason = "nix 0.31 has none of these calls")]

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use nix::errno::Errno;

// `linux/mount.h`
const FSOPEN_CLOEXEC: u32 = 1;
const FSMOUNT_CLOEXEC: u32 = 1;
const FSCONFIG_SET_FLAG: u32 = 0;
const FSCONFIG_SET_STRING: u32 = 1;
const FSCONFIG_CMD_CREATE: u32 = 6;
const FSCONFIG_CMD_RECONFIGURE: u32 = 7;
const FSPICK_CLOEXEC: u32 = 1;
const FSPICK_EMPTY_PATH: u32 = 8;
const OPEN_TREE_CLONE: u32 = 1;
const OPEN_TREE_CLOEXEC: u32 = libc::O_CLOEXEC as u32;
const MOVE_MOUNT_F_EMPTY_PATH: u32 = 4;
const MOVE_MOUNT_T_EMPTY_PATH: u32 = 0x40;
const STATMOUNT_MNT_BASIC: u64 = 2;
/// The same number on every architecture.
const SYS_STATMOUNT: libc::c_long = 457;

/// Takes ownership of the descriptor a system call has just returned.
fn owned(result: libc::c_long) -> nix::Result<OwnedFd> {
    let fd = Errno::result(result)? as RawFd;
    // SAFETY: every caller passes the answer of a system call that opens a new descriptor; it is not
    // negative, as checked, and nothing else owns it yet.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Opens a context in which a file system of type `fstype` can be configured.
pub fn fsopen(fstype: &CStr) -> nix::Result<OwnedFd> {
    // SAFETY: fsopen(2) reads one string, which ends in NUL and is borrowed across the call.
    owned(unsafe { libc::syscall(libc::SYS_fsopen, fstype.as_ptr(), FSOPEN_CLOEXEC) })
}

/// Sets a parameter with a value.
pub fn fsconfig_string(context: BorrowedFd<'_>, key: &CStr, value: &CStr) -> nix::Result<()> {
    let (fd, key, value) = (context.as_raw_fd(), key.as_ptr(), value.as_ptr());
    // SAFETY: FSCONFIG_SET_STRING reads two strings; both end in NUL and are borrowed across the call.
    let rc = unsafe { libc::syscall(libc::SYS_fsconfig, fd, FSCONFIG_SET_STRING, key, value, 0) };
    Errno::result(rc).map(drop)
}

/// Sets a parameter that has no value.
pub fn fsconfig_flag(context: BorrowedFd<'_>, key: &CStr) -> nix::Result<()> {
    let (fd, key, none) = (context.as_raw_fd(), key.as_ptr(), ptr::null::<libc::c_void>());
    // SAFETY: FSCONFIG_SET_FLAG reads one string, which ends in NUL; the value must be null and is.
    let rc = unsafe { libc::syscall(libc::SYS_fsconfig, fd, FSCONFIG_SET_FLAG, key, none, 0) };
    Errno::result(rc).map(drop)
}

/// Makes the file system of a configured context.
pub fn fsconfig_create(context: BorrowedFd<'_>) -> nix::Result<()> {
    let (fd, none) = (context.as_raw_fd(), ptr::null::<libc::c_void>());
    // SAFETY: FSCONFIG_CMD_CREATE takes neither key nor value: both are null.
    let rc = unsafe { libc::syscall(libc::SYS_fsconfig, fd, FSCONFIG_CMD_CREATE, none, none, 0) };
    Errno::result(rc).map(drop)
}

/// Opens a context in which the file system of the mount that `mounted` is the root of can be configured anew.
pub(crate) fn fspick(mounted: BorrowedFd<'_>) -> nix::Result<OwnedFd> {
    let (fd, empty, flags) = (mounted.as_raw_fd(), c"".as_ptr(), FSPICK_CLOEXEC | FSPICK_EMPTY_PATH);
    // SAFETY: fspick(2) reads one string, which is a constant that ends in NUL.
    owned(unsafe { libc::syscall(libc::SYS_fspick, fd, empty, flags) })
}

/// Changes the file system of a context to what was configured.
pub(crate) fn fsconfig_reconfigure(context: BorrowedFd<'_>) -> nix::Result<()> {
    let (fd, none) = (context.as_raw_fd(), ptr::null::<libc::c_void>());
    // SAFETY: FSCONFIG_CMD_RECONFIGURE takes neither key nor value: both are null.
    let rc = unsafe { libc::syscall(libc::SYS_fsconfig, fd, FSCONFIG_CMD_RECONFIGURE, none, none, 0) };
    Errno::result(rc).map(drop)
}

/// Mounts a made file system, attached nowhere; `attributes` are `MOUNT_ATTR_*`.
pub fn fsmount(context: BorrowedFd<'_>, attributes: u64) -> nix::Result<OwnedFd> {
    // SAFETY: fsmount(2) takes three numbers and touches no memory of ours.
    owned(unsafe { libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), FSMOUNT_CLOEXEC, attributes as u32) })
}

/// Tells whether the mount that `file` lies on is one of this mount namespace, whatever its path; `None` if the kernel does not say.
pub(crate) fn is_mounted(file: BorrowedFd<'_>) -> Option<bool> {
    /// `struct mnt_id_req`
    #[repr(C)]
    struct Request {
        size: u32,
        spare: u32,
        mount: u64,
        wanted: u64,
    }
    let mount = super::descriptor::unique_mount_id(file).ok()?;
    let request = Request { size: size_of::<Request>() as u32, spare: 0, mount, wanted: STATMOUNT_MNT_BASIC };
    let mut answer = [0u64; 128];
    let (asked, room) = (&raw const request, size_of_val(&answer));
    // SAFETY: statmount(2) reads a request of the size it begins with, and writes at most `room` bytes, which are ours.
    let rc = unsafe { libc::syscall(SYS_STATMOUNT, asked, answer.as_mut_ptr(), room, 0) };
    match Errno::result(rc) {
        Ok(_) => Some(true),
        Err(Errno::ENOENT) => Some(false),
        Err(_) => None,
    }
}

/// Makes a copy, attached nowhere, of the mount at `path` below `directory` (a bind mount to be).
///
/// An empty path means what `directory` itself is. `recursive` takes the mounts below along.
pub fn clone_tree(directory: BorrowedFd<'_>, path: &CStr, recursive: bool) -> nix::Result<OwnedFd> {
    let recursion = if recursive { libc::AT_RECURSIVE as u32 } else { 0 };
    let flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | libc::AT_EMPTY_PATH as u32 | recursion;
    // SAFETY: open_tree(2) reads one string, which ends in NUL and is borrowed across the call.
    owned(unsafe { libc::syscall(libc::SYS_open_tree, directory.as_raw_fd(), path.as_ptr(), flags) })
}

/// Attaches a mount to the place behind `target`: a descriptor, so no link can lead elsewhere.
pub fn move_mount(mount: BorrowedFd<'_>, target: BorrowedFd<'_>) -> nix::Result<()> {
    let (from, to, empty) = (mount.as_raw_fd(), target.as_raw_fd(), c"".as_ptr());
    let flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
    // SAFETY: move_mount(2) reads two strings; both are the same constant that ends in NUL.
    let rc = unsafe { libc::syscall(libc::SYS_move_mount, from, empty, to, empty, flags) };
    Errno::result(rc).map(drop)
}

/// What to change about a mount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attributes {
    /// `MOUNT_ATTR_*` to set.
    pub(crate) set: u64,
    /// `MOUNT_ATTR_*` to clear.
    pub(crate) clear: u64,
    /// One of MS_PRIVATE, MS_SLAVE, MS_SHARED, MS_UNBINDABLE; 0 leaves it.
    pub(crate) propagation: u64,
}

/// `MOUNT_ATTR_IDMAP`, `linux/mount.h`.
const MAP_IDS: u64 = 0x10_0000;

/// Shows the files of a detached mount with their ids mapped as the user namespace `users` maps them.
pub(crate) fn map_ids(mount: BorrowedFd<'_>, recursive: bool, users: BorrowedFd<'_>) -> nix::Result<()> {
    set_attributes(mount, recursive, [MAP_IDS, 0, 0, users.as_raw_fd() as u64])
}

/// Changes a mount, and with `recursive` all mounts below it, together or not at all.
pub(crate) fn mount_setattr(mount: BorrowedFd<'_>, recursive: bool, change: Attributes) -> nix::Result<()> {
    set_attributes(mount, recursive, [change.set, change.clear, change.propagation, 0])
}

fn set_attributes(mount: BorrowedFd<'_>, recursive: bool, attributes: [u64; 4]) -> nix::Result<()> {
    let recursion = if recursive { libc::AT_RECURSIVE } else { 0 };
    let (fd, path, size) = (mount.as_raw_fd(), c"".as_ptr(), size_of_val(&attributes));
    let flags = (libc::AT_EMPTY_PATH | recursion) as u32;
    // SAFETY: `struct mount_attr` is four 64-bit numbers: set, clear, propagation and the descriptor
    // of a user namespace; the kernel reads `size` bytes of an array of that size.
    let rc = unsafe { libc::syscall(libc::SYS_mount_setattr, fd, path, flags, attributes.as_ptr(), size) };
    Errno::result(rc).map(drop)
}
