//! overlayfs that is attached nowhere: fsopen(2), fsconfig(2), fsmount(2).
//!
//! Runs in the shell command's process.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

/// `FSCONFIG_SET_FLAG` of linux/mount.h.
const SET_FLAG: u32 = 0;
/// `FSCONFIG_SET_STRING` of linux/mount.h.
const SET_STRING: u32 = 1;
/// `FSCONFIG_CMD_CREATE` of linux/mount.h.
const CMD_CREATE: u32 = 6;
/// `FSOPEN_CLOEXEC` and `FSMOUNT_CLOEXEC` of linux/mount.h.
const CLOEXEC: u32 = 1;

/// Makes an overlay with these options, in their order, and flags; returns its mount, which goes with the descriptor.
///
/// # Errors
/// EINVAL on kernels before 6.5 if a key is `lowerdir+`.
pub(crate) fn create(options: &[(&CStr, CString)], flags: &[&CStr]) -> io::Result<OwnedFd> {
    // SAFETY: the name is a NUL-terminated constant.
    let context = owned(unsafe { libc::syscall(libc::SYS_fsopen, c"overlay".as_ptr(), CLOEXEC) })?;
    for (key, value) in options {
        configure(&context, SET_STRING, Some(key), Some(value))?;
    }
    for flag in flags {
        configure(&context, SET_FLAG, Some(flag), None)?;
    }
    configure(&context, CMD_CREATE, None, None)?;
    // SAFETY: all arguments are integers; `context` is open as it is borrowed.
    owned(unsafe { libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), CLOEXEC, 0u32) })
}

fn configure(context: &OwnedFd, command: u32, key: Option<&CStr>, value: Option<&CStr>) -> io::Result<()> {
    let key = key.map_or(ptr::null(), CStr::as_ptr);
    let value = value.map_or(ptr::null(), CStr::as_ptr);
    // SAFETY: key and value are NUL-terminated strings borrowed for the call, or null where the command takes none.
    let rc = unsafe { libc::syscall(libc::SYS_fsconfig, context.as_raw_fd(), command, key, value, 0) };
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
