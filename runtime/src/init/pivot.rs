//! The root filesystem: attached as a mount of our own, then made `/`.

use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::Mode;
use nix::unistd::{chdir, chroot, fchdir, pivot_root};

use super::beneath::RootDirectory;
use super::classic;
use super::error::{Act, InitError};
use super::trees::Trees;
use crate::plan::{ContainerPlan, Propagation};
use crate::sys;
use crate::sys::mount::{self as mounts, Attributes};

/// Mounts the root filesystem over itself, with what is mounted below: pivot_root(2) wants a mount,
/// and options set on it must not change the caller's.
pub(super) fn attach(plan: &ContainerPlan, trees: &Trees) -> Result<RootDirectory, InitError> {
    if let Some(tree) = &trees.root {
        return attach_prepared(tree, &plan.root.path);
    }
    let path = plan.root.path.as_path();
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let place = openat(AT_FDCWD, path, flags, Mode::empty()).act_on("open the root filesystem", path)?;
    if plan.root.propagation.is_tied() || !plan.namespaces.is_new(libc::CLONE_NEWNS) {
        separate_below(&place).act_on("separate the mount below the root filesystem", path)?;
    }
    match mounts::clone_tree(place.as_fd(), c"", true) {
        Ok(tree) if plan.root.propagation.follow => {
            mounts::move_mount(tree.as_fd(), place.as_fd()).act_on("mount the root filesystem", path)?;
        }
        Ok(tree) => {
            let private = Attributes { propagation: libc::MS_PRIVATE, ..Attributes::default() };
            mounts::mount_setattr(tree.as_fd(), false, private).act_on("separate the root filesystem", path)?;
            mounts::move_mount(tree.as_fd(), place.as_fd()).act_on("mount the root filesystem", path)?;
        }
        Err(Errno::ENOSYS) => {
            classic::bind(place.as_fd(), true, place.as_fd()).act_on("mount the root filesystem", path)?;
        }
        Err(errno) => return Err(errno).act_on("mount the root filesystem", path),
    }
    // Opened anew: the path now leads to the mount on top.
    RootDirectory::open(path).act_on("open the root filesystem", path)
}

/// Mounts a copy of the root filesystem that was made beforehand.
///
/// Over `/`, which it is to replace: the directory it was copied from may be out of reach for the root of a user
/// namespace. Paths still lead to the host: what is above `/` is seen from where this process has its root, below.
fn attach_prepared(tree: &OwnedFd, path: &Path) -> Result<RootDirectory, InitError> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let place = openat(AT_FDCWD, "/", flags, Mode::empty()).act("open `/`")?;
    mounts::move_mount(tree.as_fd(), place.as_fd()).act_on("mount the root filesystem", path)?;
    tree.try_clone().map(RootDirectory::of).act_on("open the root filesystem", path)
}

/// Makes the mount that `place` lies on private: what is mounted over it must not appear on the host, and
/// pivot_root(2) wants the mount above the new root to be private.
fn separate_below(place: &OwnedFd) -> std::io::Result<()> {
    let id = sys::descriptor::mount_id(place.as_fd())?.to_string();
    let mountinfo = std::fs::read("/proc/self/mountinfo")?;
    let mut lines = mountinfo.split(|byte| *byte == b'\n').map(|line| line.split(|byte| *byte == b' '));
    let point = lines.find_map(|mut fields| (fields.next()? == id.as_bytes()).then(|| fields.nth(3)).flatten());
    let point = point.map(unescape).ok_or(Errno::ENOENT)?;
    let none = None::<&str>;
    Ok(mount(none, point.as_path(), none, MsFlags::MS_PRIVATE, none)?)
}

/// Reads a path of mountinfo, in which blanks and backslashes are `\` and three octal digits.
fn unescape(field: &[u8]) -> PathBuf {
    let mut path = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, after @ ..] = rest {
        let code = after.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 8).ok()).filter(|_| *first == b'\\') {
            Some(byte) => {
                path.push(byte);
                rest = &after[3..];
            }
            None => {
                path.push(*first);
                rest = after;
            }
        }
    }
    OsString::from_vec(path).into()
}

/// Makes `root` the root of this mount namespace and lets go of the host's mounts.
///
/// With `no_pivot` the root filesystem is moved on top of the old root instead, where a root that cannot be left
/// (an initramfs) forbids pivot_root(2).
pub(super) fn into(root: &RootDirectory, propagation: Propagation, no_pivot: bool) -> Result<(), InitError> {
    if no_pivot {
        move_to_root(root)?;
    } else {
        pivot(root)?;
    }
    match propagation.last {
        Some(last) => mount(None::<&str>, "/", None::<&str>, last, None::<&str>).act("set `linux.rootfsPropagation`"),
        None => Ok(()),
    }
}

/// Exchanges the roots, from the directory that becomes the new one.
fn pivot(root: &RootDirectory) -> Result<(), InitError> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let old = openat(AT_FDCWD, "/", flags, Mode::empty()).act("open `/`")?;
    fchdir(root.as_fd()).act("enter the root filesystem")?;
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
    fchdir(&old).act("enter the old root")?;
    // Where they are still tied to the host's, letting go of them would unmount those.
    let none = None::<&str>;
    mount(none, ".", none, MsFlags::MS_SLAVE | MsFlags::MS_REC, none).act("separate the host's mounts")?;
    umount2(".", MntFlags::MNT_DETACH).act("let go of the host's mounts")?;
    chdir(Path::new("/")).act("enter the new root")
}

/// Moves the mount that is the working directory over `/`, and makes it the root of this process.
fn move_to_root(root: &RootDirectory) -> Result<(), InitError> {
    fchdir(root.as_fd()).act("enter the root filesystem")?;
    mount(Some("."), "/", None::<&str>, MsFlags::MS_MOVE, None::<&str>).act("move the root filesystem to `/`")?;
    chroot(".").act("make the root filesystem `/`")?;
    chdir(Path::new("/")).act("enter the new root")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_point_with_blanks_is_read() {
        assert_eq!(unescape(br"/a\040b\134c\x"), Path::new(r"/a b\c\x"));
        assert_eq!(unescape(br"/plain\04"), Path::new(r"/plain\04"));
    }
}
