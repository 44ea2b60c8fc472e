//! The user's own terminal: its size, raw mode, and news of both.

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, AsRawFd};

use lighter_engine::runtime::terminal::RawMode;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// Returns rows and columns of the terminal that stdin or stdout is.
pub(crate) fn size() -> Option<(u16, u16)> {
    [io::stdout().as_raw_fd(), io::stdin().as_raw_fd()].into_iter().find_map(lighter_engine::terminal_size)
}

/// Puts the terminal on stdin into raw mode, if stdin is one; dropping the guard puts it back.
pub(crate) fn raw() -> Option<RawMode> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return None;
    }
    RawMode::enter(stdin.as_fd()).ok()
}

/// Blocks these signals for the process and returns where they arrive instead. Call it before any thread is started.
pub(crate) fn signals(wanted: &[Signal]) -> io::Result<SignalFd> {
    let mut set = SigSet::empty();
    wanted.iter().for_each(|signal| set.add(*signal));
    set.thread_block()?;
    Ok(SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?)
}
