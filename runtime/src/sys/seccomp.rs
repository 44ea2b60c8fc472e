//! Loading a seccomp filter (seccomp(2)).
//!
//! Runs in init and in an exec'ed process, as late as the privileges for it allow.
#![expect(unsafe_code, reason = "nix 0.31 has no seccomp(2)")]

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;

use crate::seccomp::Filter;

/// Loads `filter` for the calling process and all it becomes. There is no way back.
///
/// Returns the descriptor by which an agent answers, close-on-exec, if the filter has a listener.
pub(crate) fn load(filter: &Filter) -> nix::Result<Option<OwnedFd>> {
    let program = libc::sock_fprog {
        // The compiler of filters stays below 4096 instructions.
        len: filter.program.len() as u16,
        filter: filter.program.as_ptr().cast_mut(),
    };
    let operation = libc::SECCOMP_SET_MODE_FILTER;
    // SAFETY: `program` points to `len` instructions of a `Vec` that is borrowed across the call; the
    // kernel copies and checks them, and writes nothing through the pointer.
    let rc = unsafe { libc::syscall(libc::SYS_seccomp, operation, filter.flags, &raw const program) };
    let fd = Errno::result(rc)? as RawFd;
    // SAFETY: with SECCOMP_FILTER_FLAG_NEW_LISTENER, which a filter with a listener has among its flags, the answer
    // is a new descriptor, which nothing else owns.
    Ok(filter.listener.then(|| unsafe { OwnedFd::from_raw_fd(fd) }))
}
