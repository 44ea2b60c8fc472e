//! Kernel keyrings (keyctl(2)).
//!
//! Runs in init and in an exec'ed process before it executes the container's program.
#![expect(unsafe_code, reason = "neither nix nor libc wrap keyctl(2)")]

use std::ffi::CStr;

use nix::errno::Errno;

/// `KEYCTL_JOIN_SESSION_KEYRING`, `linux/keyctl.h`.
const JOIN_SESSION: libc::c_int = 1;
/// `KEYCTL_SETPERM`, `linux/keyctl.h`.
const SET_PERMISSIONS: libc::c_int = 5;

/// Joins the session keyring `name`, which is created if there is none; returns its serial number.
pub(crate) fn join_session(name: &CStr) -> nix::Result<i32> {
    // SAFETY: KEYCTL_JOIN_SESSION_KEYRING reads one string; `name` ends in NUL and outlives the call.
    let serial = unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION, name.as_ptr()) };
    Errno::result(serial).map(|serial| serial as i32)
}

/// Sets the permission bits of a key (keyctl_setperm(3)).
pub(crate) fn set_permissions(serial: i32, permissions: u32) -> nix::Result<()> {
    // SAFETY: KEYCTL_SETPERM takes two numbers and touches no memory of ours.
    let rc = unsafe { libc::syscall(libc::SYS_keyctl, SET_PERMISSIONS, serial, permissions) };
    Errno::result(rc).map(drop)
}
