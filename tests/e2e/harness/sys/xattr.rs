//! Extended attributes, of links themselves rather than of what they point at.

use std::ffi::CStr;
use std::io;

/// Writes the names at `path`, each ended by a NUL, to `buffer`; returns their length (llistxattr(2)).
pub(crate) fn list(path: &CStr, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: `path` is a C string; the kernel writes at most `buffer.len()` bytes to `buffer`, which is borrowed
    // mutably for the whole call.
    let length = unsafe { libc::llistxattr(path.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len()) };
    usize::try_from(length).map_err(|_| io::Error::last_os_error())
}

/// Writes the value of attribute `name` at `path` to `buffer`; returns its length (lgetxattr(2)).
pub(crate) fn get(path: &CStr, name: &CStr, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: `path` and `name` are C strings, read only; the kernel writes at most `buffer.len()` bytes to `buffer`,
    // which is borrowed mutably for the whole call.
    let length = unsafe { libc::lgetxattr(path.as_ptr(), name.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len()) };
    usize::try_from(length).map_err(|_| io::Error::last_os_error())
}
