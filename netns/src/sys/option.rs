//! Options of sockets that are structures of any length. Any process.
#![expect(unsafe_code, reason = "nix 0.31 reads socket options of types that it knows")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Reads option `option` at `level` into `buffer`, which the kernel may read as well: some options say in it what is wanted.
pub(crate) fn read_option(socket: BorrowedFd<'_>, (level, option): (i32, i32), buffer: &mut [u8]) -> io::Result<()> {
    let mut length = libc::socklen_t::try_from(buffer.len()).map_err(io::Error::other)?;
    let (bytes, length) = (buffer.as_mut_ptr().cast(), &raw mut length);
    // SAFETY: the kernel reads and writes at most `length` bytes at `bytes` (getsockopt(2)), which is the length of the buffer
    // that `bytes` points to, and any byte is a valid u8; buffer and length are borrowed until the call returns, and `socket` is
    // open during the call.
    let status = unsafe { libc::getsockopt(socket.as_raw_fd(), level, option, bytes, length) };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
