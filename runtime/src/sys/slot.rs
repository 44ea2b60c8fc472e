//! One open file that every part of a process can find, and its clones after it.
//!
//! Any process. Neither a lock nor an allocation: between a clone and an execve there may be none.
#![expect(unsafe_code, reason = "a static holds a descriptor by its number, and numbers own nothing")]

use std::os::fd::{BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};

/// The number of no descriptor.
const NONE: i32 = -1;

/// A place for one descriptor.
pub(crate) struct Slot(AtomicI32);

impl Slot {
    /// A place with nothing in it.
    pub(crate) const fn empty() -> Self {
        Self(AtomicI32::new(NONE))
    }

    /// Tells whether there is something: one relaxed load.
    pub(crate) fn is_full(&self) -> bool {
        self.0.load(Ordering::Relaxed) != NONE
    }

    /// Puts a descriptor here, and closes the one that was.
    pub(crate) fn put(&self, descriptor: OwnedFd) {
        drop(self.swap(descriptor.into_raw_fd()));
    }

    /// Takes the descriptor out. Nobody may be using it: it is closed when the caller drops it.
    pub(crate) fn take(&self) -> Option<OwnedFd> {
        self.swap(NONE)
    }

    /// Lends the descriptor.
    pub(crate) fn borrow(&self) -> Option<BorrowedFd<'_>> {
        let number = self.0.load(Ordering::Relaxed);
        // SAFETY: `put` took the number from an `OwnedFd` that was given up for it, so nobody else closes it; `take`,
        // which gives it back, is called by processes that have stopped using it, as its doc demands.
        (number != NONE).then(|| unsafe { BorrowedFd::borrow_raw(number) })
    }

    fn swap(&self, number: i32) -> Option<OwnedFd> {
        let old = self.0.swap(number, Ordering::Relaxed);
        // SAFETY: `old` was an `OwnedFd` until `put` gave it up, and the swap lets only this caller have it.
        (old != NONE).then(|| unsafe { OwnedFd::from_raw_fd(old) })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, pipe};
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn what_was_put_is_lent_and_closed_when_it_is_replaced() {
        let slot = Slot::empty();
        assert!(!slot.is_full() && slot.borrow().is_none() && slot.take().is_none());
        let (mut reader, writer) = pipe().unwrap();
        slot.put(writer.into());
        nix::unistd::write(slot.borrow().unwrap(), b"x").unwrap();
        let (_other, writer) = pipe().unwrap();
        slot.put(writer.as_fd().try_clone_to_owned().unwrap());
        let mut read = String::new();
        reader.read_to_string(&mut read).unwrap();
        assert_eq!(read, "x");
        assert!(slot.is_full() && slot.take().is_some() && !slot.is_full());
    }
}
