//! The pid of a process that is just being cloned, in memory that its parent, its sibling and itself see as one.
//!
//! Runs in the caller of a process between, in that, and in what it clones.
#![expect(unsafe_code, reason = "nix 0.31 leaves the lifetime of a mapping to its caller")]

use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicI32, Ordering};

/// Room for one pid, zero until the kernel writes it there (clone(2), CLONE_PARENT_SETTID).
#[derive(Debug)]
pub(crate) struct SharedPid(NonNull<AtomicI32>);

impl SharedPid {
    /// Makes the room, which every process that is cloned from here on shares.
    ///
    /// # Errors
    /// What mmap(2) says.
    pub(crate) fn new() -> io::Result<Self> {
        let (access, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping at an address of the kernel's choice, of no file: it lies on nothing of ours.
        let address = unsafe { libc::mmap(std::ptr::null_mut(), size_of::<AtomicI32>(), access, flags, -1, 0) };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        NonNull::new(address.cast()).map(Self).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }

    /// Returns the pid, in the pid namespace of whoever cloned.
    pub(crate) fn get(&self) -> Option<i32> {
        // SAFETY: the mapping is a page, zeroed, that lives as long as `self`; its start is aligned for everything.
        let pid = unsafe { self.0.as_ref() };
        Some(pid.load(Ordering::Acquire)).filter(|pid| *pid > 0)
    }

    /// Has a pid in it, as if the kernel had written it.
    #[cfg(test)]
    pub(crate) fn of(pid: i32) -> Self {
        let shared = Self::new().expect("there is memory");
        // SAFETY: as in `get`.
        unsafe { shared.0.as_ref() }.store(pid, Ordering::Release);
        shared
    }

    /// Returns where the kernel is to write it.
    pub(super) fn address(&self) -> u64 {
        self.0.as_ptr() as u64
    }
}

impl Drop for SharedPid {
    fn drop(&mut self) {
        // SAFETY: `new` made this mapping and nobody else unmaps it; what borrowed from it is gone with `self`.
        let _mapped = unsafe { libc::munmap(self.0.as_ptr().cast(), size_of::<AtomicI32>()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_no_pid_before_the_kernel_wrote_one() {
        assert_eq!(SharedPid::new().unwrap().get(), None);
        assert_eq!(SharedPid::of(7).get(), Some(7));
    }
}
