//! overlayfs through the new mount API: fsopen(2), fsconfig(2), fsmount(2), move_mount(2).

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::runtime::mount::{fsconfig_create, fsconfig_flag, fsconfig_string, fsmount, fsopen, move_mount};

/// Where changes go.
pub(crate) struct Writable<'a> {
    pub(crate) upper: &'a Path,
    pub(crate) work: &'a Path,
    /// Nothing is flushed, neither when a program asks for it nor at the end (kernel overlayfs.rst, "Volatile mount").
    pub(crate) is_volatile: bool,
}

/// Mounts overlayfs on `target`, one `lowerdir+` for each layer (topmost first), so that no option list is too long.
///
/// EINVAL on kernels before 6.5, which do not know `lowerdir+`.
pub(crate) fn mount(target: &Path, lowers: &[PathBuf], writable: &Writable<'_>) -> io::Result<()> {
    let context = stack(lowers)?;
    set(context.as_fd(), c"upperdir", writable.upper)?;
    set(context.as_fd(), c"workdir", writable.work)?;
    if writable.is_volatile {
        fsconfig_flag(context.as_fd(), c"volatile")?;
    }
    attach(context.as_fd(), target)
}

/// Mounts overlayfs on `target` for reading, one `lowerdir+` for each directory (topmost first), which are two at least.
///
/// EINVAL as for [`mount`].
pub(crate) fn mount_read_only(target: &Path, lowers: &[PathBuf]) -> io::Result<()> {
    attach(stack(lowers)?.as_fd(), target)
}

/// Begins an overlay of these directories, topmost first.
fn stack(lowers: &[PathBuf]) -> io::Result<OwnedFd> {
    let context = fsopen(c"overlay")?;
    fsconfig_string(context.as_fd(), c"source", c"overlay")?;
    for lower in lowers {
        set(context.as_fd(), c"lowerdir+", lower)?;
    }
    Ok(context)
}

fn set(context: BorrowedFd<'_>, key: &CStr, directory: &Path) -> io::Result<()> {
    let directory = CString::new(directory.as_os_str().as_bytes()).map_err(io::Error::other)?;
    Ok(fsconfig_string(context, key, &directory)?)
}

fn attach(context: BorrowedFd<'_>, target: &Path) -> io::Result<()> {
    fsconfig_create(context)?;
    Ok(move_mount(fsmount(context, 0)?.as_fd(), place(target)?.as_fd())?)
}

/// Opens a directory to mount on.
pub(crate) fn place(target: &Path) -> io::Result<File> {
    File::options().read(true).custom_flags(libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC).open(target)
}
