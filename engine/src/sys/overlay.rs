//! overlayfs through the new mount API: fsopen(2), fsconfig(2), fsmount(2), move_mount(2).

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr;

/// `FSCONFIG_SET_FLAG` of linux/mount.h.
const SET_FLAG: u32 = 0;
/// `FSCONFIG_SET_STRING` of linux/mount.h.
const SET_STRING: u32 = 1;
/// `FSCONFIG_CMD_CREATE` of linux/mount.h.
const CMD_CREATE: u32 = 6;
/// `FSOPEN_CLOEXEC` and `FSMOUNT_CLOEXEC` of linux/mount.h.
const CLOEXEC: u32 = 1;
/// `MOVE_MOUNT_F_EMPTY_PATH` of linux/mount.h.
const FROM_EMPTY_PATH: u32 = 4;

/// Where changes go.
pub(crate) struct Writable<'a> {
    pub(crate) upper: &'a Path,
    pub(crate) work: &'a Path,
    /// Nothing is flushed, neither when a program asks for it nor at the end (kernel overlayfs.rst, "Volatile mount").
    pub(crate) is_volatile: bool,
}

/// Mounts overlayfs on `target`, one `lowerdir+` for each layer (topmost first), so that no option list is too long.
///
/// EINVAL on kernels before 6.5, which do not know `lowerdir+`.
pub(crate) fn mount(target: &Path, lowers: &[PathBuf], writable: &Writable<'_>) -> io::Result<()> {
    let context = fsopen(c"overlay")?;
    configure(&context, SET_STRING, Some(c"source"), Some(c"overlay"))?;
    for lower in lowers {
        configure(&context, SET_STRING, Some(c"lowerdir+"), Some(&c_path(lower)?))?;
    }
    configure(&context, SET_STRING, Some(c"upperdir"), Some(&c_path(writable.upper)?))?;
    configure(&context, SET_STRING, Some(c"workdir"), Some(&c_path(writable.work)?))?;
    if writable.is_volatile {
        configure(&context, SET_FLAG, Some(c"volatile"), None)?;
    }
    configure(&context, CMD_CREATE, None, None)?;
    move_mount(&fsmount(&context)?, &c_path(target)?)
}

/// Mounts overlayfs on `target` for reading, one `lowerdir+` for each directory (topmost first), which are two at least.
///
/// EINVAL as for [`mount`].
pub(crate) fn mount_read_only(target: &Path, lowers: &[PathBuf]) -> io::Result<()> {
    let context = fsopen(c"overlay")?;
    configure(&context, SET_STRING, Some(c"source"), Some(c"overlay"))?;
    for lower in lowers {
        configure(&context, SET_STRING, Some(c"lowerdir+"), Some(&c_path(lower)?))?;
    }
    configure(&context, CMD_CREATE, None, None)?;
    move_mount(&fsmount(&context)?, &c_path(target)?)
}

fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(io::Error::other)
}

fn fsopen(filesystem: &CStr) -> io::Result<OwnedFd> {
    // SAFETY: `filesystem` is a NUL-terminated string that lives across the call.
    let fd = unsafe { libc::syscall(libc::SYS_fsopen, filesystem.as_ptr(), CLOEXEC) };
    owned(fd)
}

fn configure(context: &OwnedFd, command: u32, key: Option<&CStr>, value: Option<&CStr>) -> io::Result<()> {
    let key = key.map_or(ptr::null(), CStr::as_ptr);
    let value = value.map_or(ptr::null(), CStr::as_ptr);
    // SAFETY: key and value are NUL-terminated strings borrowed for the call, or null where the command takes none.
    let rc = unsafe { libc::syscall(libc::SYS_fsconfig, context.as_raw_fd(), command, key, value, 0) };
    if rc < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn fsmount(context: &OwnedFd) -> io::Result<OwnedFd> {
    // SAFETY: all arguments are integers; `context` is open as it is borrowed.
    let fd = unsafe { libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), CLOEXEC, 0u32) };
    owned(fd)
}

fn move_mount(mount: &OwnedFd, target: &CStr) -> io::Result<()> {
    // SAFETY: both paths are NUL-terminated and live across the call; the mount's descriptor is open as it is borrowed.
    let rc = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_FDCWD,
            target.as_ptr(),
            FROM_EMPTY_PATH,
        )
    };
    if rc < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn owned(fd: libc::c_long) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made this descriptor for us, so nobody else owns or closes it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
