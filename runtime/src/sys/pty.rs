//! Terminal ioctls (ioctl_tty(2)): window size, controlling terminal, the slave side of a pty.
//!
//! Runs in the monitor, the command at a user's terminal, and init.
#![expect(unsafe_code, reason = "nix generates no safe wrapper for ioctl(2)")]

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;

nix::ioctl_write_ptr_bad!(tiocswinsz, libc::TIOCSWINSZ, libc::winsize);
nix::ioctl_read_bad!(tiocgwinsz, libc::TIOCGWINSZ, libc::winsize);
nix::ioctl_write_int_bad!(tiocsctty, libc::TIOCSCTTY);
nix::ioctl_write_int_bad!(tiocgptpeer, libc::TIOCGPTPEER as i32);
nix::ioctl_write_ptr_bad!(tiocsptlck, libc::TIOCSPTLCK, libc::c_int);

/// Sets the window size of a terminal, in characters.
pub(crate) fn set_window_size(terminal: BorrowedFd<'_>, rows: u16, cols: u16) -> nix::Result<()> {
    let size = libc::winsize { ws_row: rows, ws_col: cols, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCSWINSZ reads one `struct winsize`; `size` is one and lives across the call.
    unsafe { tiocswinsz(terminal.as_raw_fd(), &raw const size) }.map(drop)
}

/// Returns the window size of a terminal as `(rows, cols)`.
pub(crate) fn window_size(terminal: BorrowedFd<'_>) -> nix::Result<(u16, u16)> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ writes one `struct winsize`; `size` is one, exclusively ours.
    unsafe { tiocgwinsz(terminal.as_raw_fd(), &raw mut size) }?;
    Ok((size.ws_row, size.ws_col))
}

/// Makes `terminal` the controlling terminal of the calling session leader.
pub(crate) fn make_controlling(terminal: BorrowedFd<'_>) -> nix::Result<()> {
    // SAFETY: the argument of TIOCSCTTY is a number, 0 for "do not steal it"; no memory is touched.
    unsafe { tiocsctty(terminal.as_raw_fd(), 0) }.map(drop)
}

/// Unlocks the slave side of the pty whose master is `master`.
pub(crate) fn unlock_slave(master: BorrowedFd<'_>) -> nix::Result<()> {
    let unlocked: libc::c_int = 0;
    // SAFETY: TIOCSPTLCK reads one int; `unlocked` is one and lives across the call.
    unsafe { tiocsptlck(master.as_raw_fd(), &raw const unlocked) }.map(drop)
}

/// Opens the slave side of a pty from its master: no path of a file system somebody may have swapped.
pub(crate) fn open_slave(master: BorrowedFd<'_>) -> nix::Result<OwnedFd> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: the argument of TIOCGPTPEER is a set of open(2) flags; no memory is touched.
    let fd: RawFd = unsafe { tiocgptpeer(master.as_raw_fd(), flags) }?;
    if fd < 0 {
        return Err(Errno::EBADF);
    }
    // SAFETY: the kernel has just returned `fd` as a new descriptor, which nothing else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
