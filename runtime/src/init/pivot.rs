//! The root filesystem: attached as a mount of our own, then made `/`.

use std::os::fd::AsFd;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::Mode;
use nix::unistd::{chdir, chroot, fchdir, pivot_root};

use super::beneath::RootDirectory;
use super::classic;
use super::error::{Act, InitError};
use crate::plan::RootPlan;
use crate::sys::mount::{self, Attributes};

/// Mounts the root filesystem over itself, with what is mounted below: pivot_root(2) wants a mount,
/// and options set on it must not change the caller's.
pub(super) fn attach(plan: &RootPlan) -> Result<RootDirectory, InitError> {
    let path = plan.path.as_path();
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let place = openat(AT_FDCWD, path, flags, Mode::empty()).act_on("open the root filesystem", path)?;
    match mount::clone_tree(place.as_fd(), c"", true) {
        Ok(tree) => {
            let private = Attributes { propagation: libc::MS_PRIVATE, ..Attributes::default() };
            mount::mount_setattr(tree.as_fd(), false, private).act_on("separate the root filesystem", path)?;
            mount::move_mount(tree.as_fd(), place.as_fd()).act_on("mount the root filesystem", path)?;
        }
        Err(Errno::ENOSYS) => {
            classic::bind(place.as_fd(), true, place.as_fd()).act_on("mount the root filesystem", path)?;
        }
        Err(errno) => return Err(errno).act_on("mount the root filesystem", path),
    }
    // Opened anew: the path now leads to the mount on top.
    RootDirectory::open(path).act_on("open the root filesystem", path)
}

/// Makes `root` the root of this mount namespace and lets go of the host's mounts.
///
/// With `no_pivot` the root filesystem is moved on top of the old root instead, where a root that cannot be left
/// (an initramfs) forbids pivot_root(2).
pub(super) fn into(root: &RootDirectory, no_pivot: bool) -> Result<(), InitError> {
    fchdir(root.as_fd()).act("enter the root filesystem")?;
    if no_pivot {
        return move_to_root();
    }
    // New and old root in one place: the old one then lies on top of the new one, and needs no directory
    // of the image to be put into (pivot_root(2), "pivot_root(".", ".")").
    match pivot_root(".", ".") {
        Err(Errno::EINVAL) => {
            return Err(InitError::new(
                "make the root filesystem `/` (an initramfs as the host's root cannot be left: see `--no-pivot`)",
                Errno::EINVAL,
            ));
        }
        result => result.act("make the root filesystem `/`")?,
    }
    umount2(".", MntFlags::MNT_DETACH).act("let go of the host's mounts")?;
    chdir(Path::new("/")).act("enter the new root")
}

/// Moves the mount that is the working directory over `/`, and makes it the root of this process.
fn move_to_root() -> Result<(), InitError> {
    mount(Some("."), "/", None::<&str>, MsFlags::MS_MOVE, None::<&str>).act("move the root filesystem to `/`")?;
    chroot(".").act("make the root filesystem `/`")?;
    chdir(Path::new("/")).act("enter the new root")
}
