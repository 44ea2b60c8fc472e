//! Signal dispositions.
//!
//! Runs in init and in an exec'ed process: a program of a container starts with every signal at its
//! default and none blocked, whatever this program ignores or blocks for itself.
#![expect(unsafe_code, reason = "setting a disposition is unsafe in nix and libc alike")]

use nix::sys::signal::{SigHandler, SigSet, Signal, signal};

/// Resets every signal to its default action and unblocks all.
pub(crate) fn reset() -> nix::Result<()> {
    let fixed = [Signal::SIGKILL, Signal::SIGSTOP];
    for number in Signal::iterator().filter(|number| !fixed.contains(number)) {
        // SAFETY: the default action runs no code of this process, so there is no handler that could
        // be unsafe to call.
        unsafe { signal(number, SigHandler::SigDfl) }?;
    }
    SigSet::empty().thread_set_mask()
}
