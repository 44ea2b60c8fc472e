//! Extended attributes by descriptor: xattr(7).

use std::ffi::{CStr, c_void};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Copies all extended attributes but overlayfs' own (`trusted.overlay.*`), which mean something else elsewhere.
///
/// A file system that has none is no error.
pub(crate) fn copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<()> {
    for name in list(from)? {
        if !name.to_bytes().starts_with(b"trusted.overlay.") {
            set(to, &name, &get(from, &name)?)?;
        }
    }
    Ok(())
}

fn list(fd: BorrowedFd<'_>) -> io::Result<Vec<std::ffi::CString>> {
    let mut names = vec![0u8; 64 << 10]; // XATTR_LIST_MAX
    // SAFETY: the buffer is valid for its length, which is passed; the kernel writes no more.
    let length = unsafe { libc::flistxattr(fd.as_raw_fd(), names.as_mut_ptr().cast(), names.len()) };
    let Ok(length) = usize::try_from(length) else { return none_if_unsupported(io::Error::last_os_error()) };
    names.truncate(length);
    Ok(names
        .split_inclusive(|byte| *byte == 0)
        .filter_map(|name| CStr::from_bytes_with_nul(name).ok())
        .map(CStr::to_owned)
        .collect())
}

fn none_if_unsupported<T>(error: io::Error) -> io::Result<Vec<T>> {
    if error.raw_os_error() == Some(libc::EOPNOTSUPP) { Ok(Vec::new()) } else { Err(error) }
}

fn get(fd: BorrowedFd<'_>, name: &CStr) -> io::Result<Vec<u8>> {
    let mut value = vec![0u8; 64 << 10]; // XATTR_SIZE_MAX
    // SAFETY: `name` is NUL-terminated, the buffer is valid for the length passed; the kernel writes no more.
    let length =
        unsafe { libc::fgetxattr(fd.as_raw_fd(), name.as_ptr(), value.as_mut_ptr().cast::<c_void>(), value.len()) };
    value.truncate(usize::try_from(length).map_err(|_| io::Error::last_os_error())?);
    Ok(value)
}

fn set(fd: BorrowedFd<'_>, name: &CStr, value: &[u8]) -> io::Result<()> {
    // SAFETY: `name` is NUL-terminated and `value` is valid for the length passed; the kernel only reads both.
    let rc = unsafe { libc::fsetxattr(fd.as_raw_fd(), name.as_ptr(), value.as_ptr().cast::<c_void>(), value.len(), 0) };
    if rc < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
