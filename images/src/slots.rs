//! A bound on work that goes on at once, shared by all who do it.
//!
//! Runs in the shell command's process.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// So many places; clones share them.
#[derive(Debug, Clone)]
pub struct Slots {
    count: usize,
    free: Arc<(Mutex<usize>, Condvar)>,
}

/// A place taken; it is free again when this is dropped.
pub(crate) struct Slot<'a>(&'a Slots);

impl Slots {
    /// Makes `count` places; at least one.
    pub fn new(count: usize) -> Slots {
        let count = count.max(1);
        Slots { count, free: Arc::new((Mutex::new(count), Condvar::new())) }
    }

    /// Returns how many places there are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Takes a place, waiting for one.
    pub(crate) fn take(&self) -> Slot<'_> {
        let free = self.free.1.wait_while(self.lock(), |free| *free == 0);
        *free.unwrap_or_else(PoisonError::into_inner) -= 1;
        Slot(self)
    }

    fn lock(&self) -> MutexGuard<'_, usize> {
        // A number is whole whoever panicked beside it.
        self.free.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        *self.0.lock() += 1;
        self.0.free.1.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn no_more_work_at_once_than_there_are_places() {
        let (slots, now, most) = (Slots::new(2), AtomicUsize::new(0), AtomicUsize::new(0));
        let work = || {
            for _ in 0..1000 {
                let _slot = slots.take();
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::yield_now();
                now.fetch_sub(1, Ordering::SeqCst);
            }
        };
        std::thread::scope(|scope| (0..6).for_each(|_| _ = scope.spawn(work)));
        assert!((1..=2).contains(&most.into_inner()));
    }
}
