//! What has no safe form.
#![expect(unsafe_code, reason = "descriptors arrive as numbers")]

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// Owns a descriptor that has just been received in an SCM_RIGHTS message.
pub(super) fn received(number: RawFd) -> OwnedFd {
    // SAFETY: the kernel made the descriptor for this process when the message was received (unix(7)), and the caller passes
    // each of them once, so nobody else owns it.
    unsafe { OwnedFd::from_raw_fd(number) }
}
