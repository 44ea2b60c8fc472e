//! SIGINT and SIGTERM while a guest runs.

use anyhow::{Context, Result};
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// As long as this is there, neither signal ends the program: whoever runs a guest asks, so that what the guest has said is kept,
/// and nothing of it is left. Threads that are started meanwhile hold them back as well.
pub(crate) struct Interrupts {
    signals: SignalFd,
    before: SigSet,
}

impl Interrupts {
    pub(crate) fn hold() -> Result<Self> {
        let set = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM]);
        let signals = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK);
        let signals = signals.context("ask for signals")?;
        let before = set.thread_swap_mask(SigmaskHow::SIG_BLOCK).context("hold signals back")?;
        Ok(Self { signals, before })
    }

    /// Returns whether one has come since the last time.
    pub(crate) fn came(&self) -> bool {
        matches!(self.signals.read_signal(), Ok(Some(_)))
    }
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        // Impatient users send more than one; a second would end the program before what was seen is written down.
        while self.came() {}
        let _unchanged = self.before.thread_set_mask();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_told_of_once_and_ends_nothing() {
        let interrupts = Interrupts::hold().unwrap();
        assert!(!interrupts.came());
        // To this thread only, raise(3): the others of the tests' program would die of it.
        nix::sys::signal::raise(Signal::SIGTERM).unwrap();
        assert!(interrupts.came());
        assert!(!interrupts.came());
    }
}
