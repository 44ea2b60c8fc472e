//! Options of netlink sockets that `nix` has no wrapper for. Any process.
#![expect(unsafe_code, reason = "nix 0.31 knows no socket option at level SOL_NETLINK")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// A switch of a netlink socket, netlink(7).
#[derive(Clone, Copy, Debug)]
pub(crate) enum Switch {
    /// Errors carry the kernel's text and the offset of the attribute at fault.
    ExtendedAck,
    /// Errors leave out the request they answer, so that a large batch cannot overflow the receive buffer.
    CappedAck,
}

/// Turns `switch` on for the netlink socket `socket`.
pub(crate) fn turn_on(socket: BorrowedFd<'_>, switch: Switch) -> io::Result<()> {
    let option = match switch {
        Switch::ExtendedAck => libc::NETLINK_EXT_ACK,
        Switch::CappedAck => libc::NETLINK_CAP_ACK,
    };
    let on: libc::c_int = 1;
    // c_int is four bytes wide on every Linux target, so the length cannot be cut.
    let length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: `on` lives on this stack frame until the call returns and `length` is its exact size, so the kernel
    // reads only memory of ours, and it writes none; `socket` is borrowed, so it is open during the call.
    let status =
        unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_NETLINK, option, (&raw const on).cast(), length) };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
