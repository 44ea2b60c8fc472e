//! Signal dispositions.
//!
//! Runs in init and in an exec'ed process: a program of a container starts with every signal at its
//! default and none blocked, whatever this program ignores or blocks for itself.
#![expect(unsafe_code, reason = "libraries keep two real-time signals to themselves; only the bare call resets them")]

use std::ptr;

use nix::errno::Errno;
use nix::sys::signal::SigSet;

/// The highest signal number (signal(7)).
const LAST: i32 = 64;

/// Resets every signal to its default action and unblocks all.
pub(crate) fn reset() -> nix::Result<()> {
    for number in (1..=LAST).filter(|number| !matches!(*number, libc::SIGKILL | libc::SIGSTOP)) {
        reset_one(number)?;
    }
    SigSet::empty().thread_set_mask()
}

fn reset_one(number: i32) -> nix::Result<()> {
    // The kernel's `struct sigaction`: handler, flags, restorer, mask; all zero is SIG_DFL.
    let action = [0u64; 4];
    let (before, mask_bytes) = (ptr::null_mut::<u64>(), 8usize);
    // SAFETY: the kernel reads one `struct sigaction`, four words on every supported machine, from an
    // array that long, and writes nothing as `before` is null. The default action runs no code of ours.
    let rc = unsafe { libc::syscall(libc::SYS_rt_sigaction, number, action.as_ptr(), before, mask_bytes) };
    Errno::result(rc).map(drop)
}
