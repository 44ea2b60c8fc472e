//! File descriptors: what survives an execve(2), and which mount a file lies on.
//!
//! Runs in init before it executes anything, and in a process that seals itself.
#![expect(unsafe_code, reason = "nix 0.31 has no close_range(2) and no statx(2)")]

use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};

/// Marks every descriptor from `first` on close-on-exec, those opened by somebody else included.
pub(crate) fn close_on_exec_from(first: u32) -> nix::Result<()> {
    // SAFETY: close_range(2) with CLOSE_RANGE_CLOEXEC takes three numbers, sets a flag of
    // descriptors and closes none, so no `OwnedFd` of this process loses what it owns.
    let rc = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    Errno::result(rc).map(drop)
}

/// Closes every descriptor from `first` on but those in `kept`.
///
/// For a process that never returns to the owners of the others: they would close numbers that are somebody else's.
pub(crate) fn close_all_but(first: u32, kept: &[BorrowedFd<'_>]) -> nix::Result<()> {
    let mut kept: Vec<u32> = kept.iter().map(|kept| kept.as_raw_fd() as u32).collect();
    kept.sort_unstable();
    let mut first = first;
    for last in kept.into_iter().map(|kept| kept - 1).chain([u32::MAX]) {
        if first <= last {
            // SAFETY: close_range(2) takes three numbers; the caller promises that no owner of a closed
            // descriptor runs again, so none is used or closed a second time.
            let rc = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
            Errno::result(rc)?;
        }
        first = first.max(last.saturating_add(2));
    }
    Ok(())
}

/// Makes reads and writes of `file` return EAGAIN instead of waiting.
pub(crate) fn set_nonblocking(file: BorrowedFd<'_>) -> nix::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(file, FcntlArg::F_GETFL)?);
    fcntl(file, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK)).map(drop)
}

/// Returns the ID of the mount `file` lies on: field 1 of its line in mountinfo (statx(2)).
pub(crate) fn mount_id(file: BorrowedFd<'_>) -> nix::Result<u64> {
    mount_number(file, libc::STATX_MNT_ID)
}

/// Returns the number of the mount `file` lies on that no other mount ever has; Linux 6.8.
pub(crate) fn unique_mount_id(file: BorrowedFd<'_>) -> nix::Result<u64> {
    mount_number(file, libc::STATX_MNT_ID_UNIQUE)
}

fn mount_number(file: BorrowedFd<'_>, mask: libc::c_uint) -> nix::Result<u64> {
    // SAFETY: `statx` is plain numbers, for which all zeroes is a valid value.
    let mut stat: libc::statx = unsafe { std::mem::zeroed() };
    let (path, flags) = (c"".as_ptr(), libc::AT_EMPTY_PATH);
    // SAFETY: `path` is a string that ends in NUL and lives for ever; `stat` is ours to write and as
    // large as the kernel expects; `file` is borrowed, so it stays open across the call.
    let rc = unsafe { libc::statx(file.as_raw_fd(), path, flags, mask, &raw mut stat) };
    Errno::result(rc)?;
    if stat.stx_mask & mask == 0 { Err(Errno::ENOSYS) } else { Ok(stat.stx_mnt_id) }
}
