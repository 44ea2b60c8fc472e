//! Processes: the one clone, and handles to processes.
//!
//! `spawn` runs in the monitor (or the command that execs); everything else in any process.
#![expect(unsafe_code, reason = "nix 0.31 has no clone3(2), pidfd_open(2) and pidfd_send_signal(2)")]

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Opens a handle to the process `pid`, close-on-exec (pidfd_open(2)).
pub(crate) fn pidfd_open(pid: i32) -> nix::Result<OwnedFd> {
    // SAFETY: pidfd_open(2) takes two numbers and touches no memory of ours.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = Errno::result(fd)? as RawFd;
    // SAFETY: the kernel has just returned `fd` as a new descriptor, which nothing else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sends `signal` to the process behind `pidfd`, which, unlike kill(2), cannot hit a reused pid.
pub(crate) fn pidfd_send_signal(pidfd: BorrowedFd<'_>, signal: i32) -> nix::Result<()> {
    let (info, flags) = (ptr::null::<libc::siginfo_t>(), 0u32);
    // SAFETY: `info` is null, which pidfd_send_signal(2) defines as "fill it in as kill(2) would", so
    // the kernel reads no memory of ours; `pidfd` is borrowed, so it stays open across the call.
    let rc = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, info, flags) };
    Errno::result(rc).map(drop)
}

/// Tells whether the process behind `pidfd` still runs: a pidfd is readable once it has ended.
pub(crate) fn pidfd_is_running(pidfd: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::new(pidfd, PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::ZERO) == Ok(0)
}
