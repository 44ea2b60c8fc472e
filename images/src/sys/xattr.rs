//! Extended attributes: xattr(7).
//!
//! Runs in the shell command's process. None of these follows a symbolic link in the last component.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Longest value of one attribute in bytes (XATTR_SIZE_MAX of linux/limits.h).
const LONGEST_VALUE: usize = 64 * 1024;

/// Longest list of names in bytes (XATTR_LIST_MAX of linux/limits.h).
const LONGEST_LIST: usize = 64 * 1024;

/// Sets an attribute of an open file: fsetxattr(2).
pub(crate) fn set(file: BorrowedFd<'_>, name: &[u8], value: &[u8]) -> io::Result<()> {
    let name = CString::new(name)?;
    // SAFETY: `name` is NUL-terminated and `value` is read for exactly its length; both outlive the call, and `file` is
    // borrowed, so it stays open across it.
    let rc = unsafe { libc::fsetxattr(file.as_raw_fd(), name.as_ptr(), value.as_ptr().cast(), value.len(), 0) };
    check(rc as isize).map(drop)
}

/// Sets an attribute of `entry`, which may be of any kind, in an open directory: lsetxattr(2) through /proc/self/fd.
pub(crate) fn set_at(directory: BorrowedFd<'_>, entry: &[u8], name: &[u8], value: &[u8]) -> io::Result<()> {
    let path = path_in(directory, entry)?;
    let name = CString::new(name)?;
    // SAFETY: `path` and `name` are NUL-terminated and `value` is read for exactly its length; all outlive the call, and
    // `directory`, whose number `path` contains, is borrowed, so the number means the same directory until it returns.
    let rc = unsafe { libc::lsetxattr(path.as_ptr(), name.as_ptr(), value.as_ptr().cast(), value.len(), 0) };
    check(rc as isize).map(drop)
}

/// Reads an attribute of `entry` in an open directory, `None` if it has none of that name: lgetxattr(2).
pub(crate) fn get_at(directory: BorrowedFd<'_>, entry: &[u8], name: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let path = path_in(directory, entry)?;
    let name = CString::new(name)?;
    let value = with_room(LONGEST_VALUE, |value| {
        // SAFETY: `path` and `name` are NUL-terminated; the kernel writes at most `value.len()` bytes into `value`, which is
        // ours alone; `directory`, whose number `path` contains, is borrowed until the call returns.
        let rc = unsafe { libc::lgetxattr(path.as_ptr(), name.as_ptr(), value.as_mut_ptr().cast(), value.len()) };
        check(rc)
    });
    if_there(value)
}

/// Reads an attribute of an open file, `None` if it has none of that name: fgetxattr(2).
pub(crate) fn get(file: BorrowedFd<'_>, name: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let name = CString::new(name)?;
    if_there(with_room(LONGEST_VALUE, |value| {
        // SAFETY: `name` is NUL-terminated; the kernel writes at most `value.len()` bytes into `value`, which is ours alone;
        // `file` is borrowed, so it stays open across the call.
        let rc = unsafe { libc::fgetxattr(file.as_raw_fd(), name.as_ptr(), value.as_mut_ptr().cast(), value.len()) };
        check(rc)
    }))
}

/// What is not there, or cannot be on this file system, is no error.
fn if_there(value: io::Result<Vec<u8>>) -> io::Result<Option<Vec<u8>>> {
    match value {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENODATA | libc::ENOTSUP)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Lists the names of the attributes of `entry` in an open directory: llistxattr(2).
pub(crate) fn list_at(directory: BorrowedFd<'_>, entry: &[u8]) -> io::Result<Vec<Vec<u8>>> {
    let path = path_in(directory, entry)?;
    let names = with_room(LONGEST_LIST, |names| {
        // SAFETY: `path` is NUL-terminated; the kernel writes at most `names.len()` bytes into `names`, which is ours alone;
        // `directory`, whose number `path` contains, is borrowed until the call returns.
        let rc = unsafe { libc::llistxattr(path.as_ptr(), names.as_mut_ptr().cast(), names.len()) };
        check(rc)
    });
    split(names)
}

/// Lists the names of the attributes of an open file: flistxattr(2).
pub(crate) fn list(file: BorrowedFd<'_>) -> io::Result<Vec<Vec<u8>>> {
    split(with_room(LONGEST_LIST, |names| {
        // SAFETY: the kernel writes at most `names.len()` bytes into `names`, which is ours alone; `file` is borrowed, so it
        // stays open across the call.
        let rc = unsafe { libc::flistxattr(file.as_raw_fd(), names.as_mut_ptr().cast(), names.len()) };
        check(rc)
    }))
}

/// Splits a list at its NULs; a file system without attributes has none.
fn split(names: io::Result<Vec<u8>>) -> io::Result<Vec<Vec<u8>>> {
    match names {
        Ok(names) => Ok(names.split(|byte| *byte == 0).filter(|name| !name.is_empty()).map(<[u8]>::to_vec).collect()),
        Err(error) if error.raw_os_error() == Some(libc::ENOTSUP) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Calls with a little room, which is nearly always enough, and only then with as much as there may be: clearing that
/// four times for each of 20,000 files is most of what reading their attributes costs.
fn with_room(longest: usize, call: impl Fn(&mut [u8]) -> io::Result<usize>) -> io::Result<Vec<u8>> {
    let mut short = [0u8; 256];
    match call(&mut short) {
        Ok(length) => Ok(short[..length].to_vec()),
        Err(error) if error.raw_os_error() == Some(libc::ERANGE) => {
            let mut long = vec![0u8; longest];
            let length = call(&mut long)?;
            long.truncate(length);
            Ok(long)
        }
        Err(error) => Err(error),
    }
}

/// Names `entry` of an open directory, or with an empty `entry` the directory itself, by a path without symbolic links
/// of anybody else's making.
fn path_in(directory: BorrowedFd<'_>, entry: &[u8]) -> io::Result<CString> {
    let mut path = format!("/proc/self/fd/{}/", directory.as_raw_fd()).into_bytes();
    path.extend_from_slice(if entry.is_empty() { b"." } else { entry });
    Ok(CString::new(path)?)
}

fn check(rc: isize) -> io::Result<usize> {
    usize::try_from(rc).map_err(|_| io::Error::last_os_error())
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn attributes_read_back_and_absent_ones_are_none() {
        let directory = tempfile::tempdir_in("/var/tmp").unwrap();
        let file = std::fs::File::create(directory.path().join("f")).unwrap();
        let directory = std::fs::File::open(directory.path()).unwrap();
        set(file.as_fd(), b"user.a", b"\x01\n\0").unwrap();
        set_at(directory.as_fd(), b"f", b"user.b", b"").unwrap();
        set_at(directory.as_fd(), b"", b"user.c", b"1").unwrap();
        assert_eq!(get_at(directory.as_fd(), b"f", b"user.a").unwrap().unwrap(), b"\x01\n\0");
        assert_eq!(get_at(directory.as_fd(), b"f", b"user.c").unwrap(), None);
        assert_eq!(get_at(directory.as_fd(), b"", b"user.c").unwrap().unwrap(), b"1");
        assert!(list_at(directory.as_fd(), b"f").unwrap().contains(&b"user.b".to_vec()));
        assert_eq!(list(file.as_fd()).unwrap(), list_at(directory.as_fd(), b"f").unwrap());
        assert_eq!(get(file.as_fd(), b"user.a").unwrap().unwrap(), b"\x01\n\0");
        assert_eq!(get(file.as_fd(), b"user.c").unwrap(), None);
        // Longer than the little room, and all of them within the block that ext4 has for them.
        let long = vec![b'x'; 400];
        let names: Vec<Vec<u8>> = (0..4).map(|n| format!("user.{n}{}", "y".repeat(100)).into_bytes()).collect();
        names.iter().for_each(|name| set(file.as_fd(), name, &long).unwrap());
        assert_eq!(get_at(directory.as_fd(), b"f", &names[0]).unwrap().unwrap(), long);
        let listed = list_at(directory.as_fd(), b"f").unwrap();
        assert!(names.iter().all(|name| listed.contains(name)), "{listed:?}");
    }
}
