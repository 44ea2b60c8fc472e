//! Namespaces: what kind a file names, and the names of the uts namespace.
//!
//! Runs in the monitor (checking what is to be joined) and in init.
#![expect(unsafe_code, reason = "nix 0.31 wraps neither ioctl_ns(2) nor setdomainname(2)")]

use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;

/// A time namespace (time_namespaces(7), Linux 5.6); `nix` does not know the flag.
pub(crate) const CLONE_NEWTIME: i32 = 0x80;

/// Returns the `CLONE_NEW*` flag of the namespace behind `file`; ENOTTY when it is none.
pub(crate) fn kind(file: BorrowedFd<'_>) -> nix::Result<i32> {
    // SAFETY: NS_GET_NSTYPE takes no argument and touches no memory of ours (ioctl_ns(2)).
    let kind = unsafe { libc::ioctl(file.as_raw_fd(), libc::NS_GET_NSTYPE) };
    Errno::result(kind)
}

/// Sets the NIS domain name of the caller's uts namespace.
pub(crate) fn set_domain_name(name: &str) -> nix::Result<()> {
    // SAFETY: the kernel reads `name.len()` bytes from a string of that length, which is borrowed.
    let rc = unsafe { libc::setdomainname(name.as_ptr().cast(), name.len()) };
    Errno::result(rc).map(drop)
}
