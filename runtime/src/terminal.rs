//! Terminals: the size of a pty and the raw mode of the user's own tty.
//!
//! Runs in the command that stands between a user's terminal and a container's, and in the monitor.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};

use crate::sys;

/// Sets the size of the terminal behind `fd` (either side of a pty), in characters.
///
/// The kernel sends SIGWINCH to the foreground process group when the size changes.
///
/// # Errors
/// ENOTTY when `fd` is no terminal.
pub fn resize(fd: BorrowedFd<'_>, rows: u16, cols: u16) -> io::Result<()> {
    Ok(sys::pty::set_window_size(fd, rows, cols)?)
}

/// Returns the size of the terminal behind `fd` as `(rows, cols)`, in characters.
///
/// # Errors
/// ENOTTY when `fd` is no terminal.
pub fn size(fd: BorrowedFd<'_>) -> io::Result<(u16, u16)> {
    Ok(sys::pty::window_size(fd)?)
}

/// A user's terminal in raw mode: keys, also Ctrl-C, go through as bytes. Dropping it restores.
#[derive(Debug)]
pub struct RawMode {
    terminal: OwnedFd,
    before: Termios,
}

impl RawMode {
    /// Puts the terminal behind `fd` into raw mode (cfmakeraw(3)).
    ///
    /// # Errors
    /// ENOTTY when `fd` is no terminal.
    pub fn enter(fd: BorrowedFd<'_>) -> io::Result<Self> {
        let terminal = fd.try_clone_to_owned()?;
        let before = tcgetattr(terminal.as_fd())?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        tcsetattr(terminal.as_fd(), SetArg::TCSANOW, &raw)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // A terminal that went away (a closed window) needs no restoring.
        let _gone = tcsetattr(self.terminal.as_fd(), SetArg::TCSANOW, &self.before);
    }
}
