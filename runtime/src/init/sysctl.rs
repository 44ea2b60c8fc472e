//! Kernel parameters of the container's own namespaces.
//!
//! Before the pivot, by the host's procfs, which no container can have replaced. The kernel takes
//! `net`, `kernel.shm*` and the like from the namespaces of who opens the file, not of the mount.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::Mode;
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};

use super::error::{Act, InitError};
use crate::trace::{self, Effect};

/// Sets parameters, given by path below `/proc/sys`.
pub(super) fn set(sysctls: &[(PathBuf, String)]) -> Result<(), InitError> {
    if sysctls.is_empty() {
        return Ok(());
    }
    let path = Path::new("/proc/sys");
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let directory = openat(AT_FDCWD, path, flags, Mode::empty()).act_on("open", path)?;
    let is_proc = fstatfs(&directory).act_on("look at", path)?.filesystem_type() == PROC_SUPER_MAGIC;
    if !is_proc {
        return Err(InitError::refused("set kernel parameters: `/proc/sys` is no procfs"));
    }
    sysctls.iter().try_for_each(|(name, value)| set_one(directory.as_fd(), name, value))
}

fn set_one(directory: impl AsFd, name: &Path, value: &str) -> Result<(), InitError> {
    let resolve = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_XDEV;
    let how = OpenHow::new().flags(OFlag::O_WRONLY | OFlag::O_CLOEXEC).resolve(resolve);
    let act = format!("set kernel parameter (`linux.sysctl`) to `{value}`:");
    let file = openat2(directory, name, how).act_on(&act, name)?;
    trace::step(|| Effect::sysctl(name, value), || nix::unistd::write(&file, value.as_bytes()))
        .map(drop)
        .act_on(&act, name)
}
