//! The engine's system calls that nix does not wrap.
#![expect(unsafe_code, reason = "system calls without a safe wrapper")]

pub(crate) mod heap;
pub(crate) mod overlay;
pub(crate) mod xattr;

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::unistd::Pid;

/// Returns a close-on-exec copy of `fd` with a number of at least `lowest`: fcntl(2), F_DUPFD_CLOEXEC.
pub(crate) fn duplicate_above(fd: RawFd, lowest: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: F_DUPFD_CLOEXEC takes two integers; a stale `fd` gives EBADF, no memory is touched.
    let copy = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, lowest) };
    if copy < 0 {
        let error = io::Error::last_os_error();
        return Err(match error.raw_os_error() {
            // what the kernel says of a number beyond the limit
            Some(libc::EINVAL) => io::Error::other("too few descriptors are allowed (ulimit -n)"),
            _ => error,
        });
    }
    // SAFETY: the kernel has just made `copy` for us, so nobody else owns or closes it.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// Takes ownership of a descriptor that the parent process placed at `number` before exec; makes it close-on-exec.
///
/// Fails with EBADF if nothing was placed there. Call it once for a number, before any other descriptor is opened.
pub(crate) fn inherited(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: F_SETFD takes an integer; a closed `number` gives EBADF.
    if unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is open (checked above), was placed there for us alone, and the caller takes it only once.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Moves at most `limit` bytes from a pipe to `offset` of a file, without waiting: splice(2). Returns how many; 0 when nobody has the
/// other end of the pipe, and it is empty.
pub(crate) fn splice(pipe: BorrowedFd<'_>, file: BorrowedFd<'_>, offset: u64, limit: usize) -> io::Result<usize> {
    let mut offset = i64::try_from(offset).map_err(io::Error::other)?;
    let (from, to) = (pipe.as_raw_fd(), file.as_raw_fd());
    // SAFETY: `offset` outlives the call, the null pointer stands for "no offset", and both descriptors are open.
    let count =
        unsafe { libc::splice(from, std::ptr::null_mut(), to, &raw mut offset, limit, libc::SPLICE_F_NONBLOCK) };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

/// Renames `from` unless something has the name `to`: renameat2(2), RENAME_NOREPLACE. nix has it for glibc only.
///
/// EEXIST if something has, EINVAL if the file system cannot tell.
pub(crate) fn rename_to_nothing(from: &Path, to: &Path) -> io::Result<()> {
    let [from, to] = [from, to].map(|path| CString::new(path.as_os_str().as_bytes()));
    let here = nix::fcntl::AT_FDCWD;
    rename_to_nothing_at((here, &from?), (here, &to?))
}

/// As [`rename_to_nothing`], of names in open directories.
pub(crate) fn rename_to_nothing_at(
    (from_folder, from): (BorrowedFd<'_>, &CStr),
    (to_folder, to): (BorrowedFd<'_>, &CStr),
) -> io::Result<()> {
    let (from_folder, to_folder, flags) = (from_folder.as_raw_fd(), to_folder.as_raw_fd(), libc::RENAME_NOREPLACE);
    // SAFETY: both paths are NUL-terminated and outlive the call, which only reads them.
    let rc = unsafe { libc::syscall(libc::SYS_renameat2, from_folder, from.as_ptr(), to_folder, to.as_ptr(), flags) };
    if rc < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Closes every descriptor from `first` on: close_range(2).
pub(crate) fn close_from(first: RawFd) -> io::Result<()> {
    let first = libc::c_uint::try_from(first).map_err(io::Error::other)?;
    // SAFETY: called at the start of a process, before it has opened anything, so no owner of a closed number exists.
    let rc = unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0u32) };
    if rc < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Forks: `None` in the child. For processes of one thread.
pub(crate) fn fork() -> nix::Result<Option<Pid>> {
    // SAFETY: the callers have one thread, so the child inherits no lock held by another.
    match unsafe { nix::unistd::fork() }? {
        nix::unistd::ForkResult::Child => Ok(None),
        nix::unistd::ForkResult::Parent { child } => Ok(Some(child)),
    }
}

/// Ends the process at once, for a fork that has done what it was made for: nothing of its parent's is flushed or dropped.
pub(crate) fn exit_now(status: u8) -> ! {
    // SAFETY: _exit(2) does not return and runs no destructors; the kernel closes what is open.
    unsafe { libc::_exit(i32::from(status)) }
}

/// Gives back what the stack has used and uses no more: madvise(2), MADV_DONTNEED. For the main thread.
///
/// Never inlined: only as a function of its own, below those that wait for it, has it a frame with nothing of theirs beneath.
#[inline(never)]
pub(crate) fn release_stack() {
    const PAGE: usize = 4096;
    /// For the frames of this call.
    const LEFT: usize = 4 * PAGE;
    /// Nothing else lies within a megabyte of a stack (mm/mmap.c, `stack_guard_gap`).
    const REACH: usize = 512 << 10;
    let local = 0u8;
    let end = (std::ptr::from_ref(std::hint::black_box(&local)).addr() & !(PAGE - 1)) - LEFT;
    // SAFETY: the range lies below the frames in use, and holds nothing that is read again; a part of it that is not mapped
    // is skipped.
    unsafe { libc::madvise((end - REACH) as *mut libc::c_void, REACH, libc::MADV_DONTNEED) };
}

/// Has the kernel reap the children of this process, or leaves it to the process: signal(2), SIGCHLD.
pub(crate) fn let_kernel_reap(it_shall: bool) -> nix::Result<()> {
    use nix::sys::signal::{SigHandler, Signal, signal};
    let handler = if it_shall { SigHandler::SigIgn } else { SigHandler::SigDfl };
    // SAFETY: neither disposition runs code of ours.
    unsafe { signal(Signal::SIGCHLD, handler) }.map(drop)
}

/// Continues in a child whose parent is init, in a session of its own; the calling process ends with status 0.
pub(crate) fn detach_from_parent() -> io::Result<()> {
    match fork()? {
        None => nix::unistd::setsid().map(|_| ()).map_err(Into::into),
        // SAFETY: _exit(2) does not return and runs no destructors; the child owns everything from here on.
        Some(_) => unsafe { libc::_exit(0) },
    }
}

/// Returns rows and columns: ioctl_tty(2), TIOCGWINSZ.
pub(crate) fn terminal_size(fd: RawFd) -> Option<(u16, u16)> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: `size` is a winsize that lives across the call; on anything but a terminal the kernel leaves it alone.
    let rc = unsafe { libc::ioctl(fd, libc::TIOCGWINSZ, &raw mut size) };
    (rc == 0 && size.ws_row > 0 && size.ws_col > 0).then_some((size.ws_row, size.ws_col))
}

/// Exit status of a process that has been reaped by somebody else: `ioctl(pidfd, PIDFD_GET_INFO)`, Linux 6.15.
///
/// Returns the raw wait status; `None` if the kernel cannot tell.
pub(crate) fn exit_status_of(pidfd: BorrowedFd<'_>) -> Option<i32> {
    /// `struct pidfd_info` of linux/pidfd.h, first published size (64 bytes).
    #[repr(C)]
    #[derive(Default)]
    struct PidfdInfo {
        mask: u64,
        cgroup_id: u64,
        ids: [u32; 11],
        exit_code: i32,
    }
    const PIDFD_INFO_EXIT: u64 = 1 << 3;
    /// `_IOWR(0xFF, 11, struct pidfd_info)` with 64 bytes.
    const PIDFD_GET_INFO: u64 = (3 << 30) | (64 << 16) | (0xff << 8) | 11;
    let mut info = PidfdInfo { mask: PIDFD_INFO_EXIT, ..PidfdInfo::default() };
    // SAFETY: `info` is 64 bytes, the size encoded in the request, and lives across the call; the kernel writes no more.
    let rc = unsafe { libc::ioctl(pidfd.as_raw_fd(), PIDFD_GET_INFO as _, &raw mut info) };
    (rc == 0 && info.mask & PIDFD_INFO_EXIT != 0).then_some(info.exit_code)
}
