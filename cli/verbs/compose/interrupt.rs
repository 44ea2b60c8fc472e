//! Ctrl-C and SIGTERM as news instead of death: a thread waits for them, everybody else looks at a counter.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::error::Failure;

/// What has been heard.
#[derive(Clone)]
pub(crate) struct Interrupt {
    heard: Arc<Heard>,
}

#[derive(Default)]
struct Heard {
    flag: AtomicBool,
    count: AtomicUsize,
    changed: Condvar,
    lock: Mutex<()>,
}

/// Starts to listen. Call it before any other thread is started, as those inherit what is blocked.
pub(crate) fn listen() -> Result<Interrupt, Failure> {
    let mut set = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        set.add(signal);
    }
    set.thread_block()?;
    let signals = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC)?;
    let interrupt = Interrupt { heard: Arc::default() };
    let heard = interrupt.heard.clone();
    thread::spawn(move || {
        let _open = signals.as_fd();
        while let Ok(Some(_)) = signals.read_signal() {
            heard.flag.store(true, Ordering::SeqCst);
            heard.count.fetch_add(1, Ordering::SeqCst);
            let _guard = heard.lock.lock();
            heard.changed.notify_all();
        }
    });
    Ok(interrupt)
}

impl Interrupt {
    /// Returns a flag that is set by the first signal.
    pub(crate) fn flag(&self) -> &AtomicBool {
        &self.heard.flag
    }

    /// Returns how many signals there were.
    pub(crate) fn count(&self) -> usize {
        self.heard.count.load(Ordering::SeqCst)
    }

    /// Waits until there were at least `count` signals.
    pub(crate) fn wait_for(&self, count: usize) {
        let mut guard = self.heard.lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        while self.count() < count {
            guard = self.heard.changed.wait(guard).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }
}
