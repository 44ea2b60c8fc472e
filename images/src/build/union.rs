//! Layers joined by overlayfs, reached through a descriptor alone: nothing is ever mounted where anybody else sees it.
//!
//! Runs in the shell command's process. The mount is attached nowhere, and the kernel keeps it as long as the root's
//! descriptor is open. Killed at any point, nothing is left to unmount. Before Linux 6.5 a thread of its own enters a mount
//! namespace of its own instead, mounts, opens the root and lets go of the mount again (mount_namespaces(7), umount2(2)
//! `MNT_DETACH`); copying all mounts for that and dropping them costs some milliseconds each time.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;

use nix::fcntl::{OFlag, openat};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::Mode;

use crate::sys::overlay;

/// Where changes go.
pub(crate) struct Writable<'a> {
    /// overlayfs's `upperdir`.
    pub(crate) upper: &'a Path,
    /// overlayfs's `workdir`, on the same file system.
    pub(crate) work: &'a Path,
}

/// Joins `lowers`, topmost first, at the empty directory `at`, and opens the root.
///
/// # Errors
/// What the kernel says; there must be at least two lower layers, or one and a writable one.
pub(crate) fn open(lowers: &[PathBuf], writable: Option<&Writable<'_>>, at: &Path) -> io::Result<OwnedFd> {
    match open_detached(lowers, writable) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
        result => return result,
    }
    thread::scope(|scope| {
        let mounting = scope.spawn(|| mount_and_open(lowers, writable, at));
        mounting.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

fn open_detached(lowers: &[PathBuf], writable: Option<&Writable<'_>>) -> io::Result<OwnedFd> {
    let c_path = |path: &Path| CString::new(path.as_os_str().as_bytes()).map_err(io::Error::other);
    let (mut options, mut flags) = (vec![(c"source", c"overlay".to_owned())], Vec::new());
    for lower in lowers {
        options.push((c"lowerdir+", c_path(lower)?));
    }
    if let Some(own) = writable {
        options.extend([(c"upperdir", c_path(own.upper)?), (c"workdir", c_path(own.work)?)]);
        // Flushed once, when the build lists its image, and not with each step: else unmounting flushes the file system.
        flags.push(c"volatile");
    }
    // What a layer says about the layers below must be said in full: a layer is used without them, too.
    options.extend([(c"redirect_dir", c"nofollow".to_owned()), (c"metacopy", c"off".to_owned())]);
    let mount = overlay::create(&options, &flags)?;
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    Ok(openat(&mount, ".", flags, Mode::empty())?)
}

fn mount_and_open(lowers: &[PathBuf], writable: Option<&Writable<'_>>, at: &Path) -> io::Result<OwnedFd> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount::<str, _, str, str>(None, "/", None, private, None)?;
    // By descriptor: no length of path counts, and no sign in one means anything. Opened only now, as overlayfs takes
    // nothing from another mount namespace.
    let mut open: Vec<File> = Vec::new();
    let mut name = |path: &Path| {
        open.push(File::open(path)?);
        Ok::<_, io::Error>(format!("/proc/self/fd/{}", open[open.len() - 1].as_raw_fd()))
    };
    let layers = lowers.iter().map(|path| name(path)).collect::<io::Result<Vec<_>>>()?;
    let mut options = format!("lowerdir={}", layers.join(":"));
    if let Some(own) = writable {
        options += &format!(",volatile,upperdir={},workdir={}", name(own.upper)?, name(own.work)?);
    }
    // What a layer says about the layers below must be said in full: a layer is used without them, too.
    let full = format!("{options},redirect_dir=nofollow,metacopy=off");
    let overlay = |options: &str| mount(Some("overlay"), at, Some("overlay"), MsFlags::empty(), Some(options));
    match overlay(&full) {
        Err(nix::Error::EINVAL) => overlay(&options)?,
        result => result?,
    }
    let root = File::open(at)?;
    umount2(at, MntFlags::MNT_DETACH)?;
    Ok(root.into())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    #[ignore = "needs root"]
    fn changes_arrive_in_the_writable_layer_and_no_mount_is_left() {
        let directory = tempfile::tempdir_in("/var/tmp").unwrap();
        let path = |name: &str| directory.path().join(name);
        for name in ["low", "high", "upper", "work", "at", "old-upper", "old-work"] {
            fs::create_dir(path(name)).unwrap();
        }
        fs::write(path("low").join("a"), "low").unwrap();
        fs::write(path("high").join("a"), "high").unwrap();
        let (upper, work) = (path("upper"), path("work"));
        let lowers = [path("high"), path("low")];
        // The way of older kernels, which must go on working on new ones.
        let at = path("at");
        let (old_upper, old_work) = (path("old-upper"), path("old-work"));
        let old = || mount_and_open(&lowers, Some(&Writable { upper: &old_upper, work: &old_work }), &at).unwrap();
        let old = thread::scope(|scope| scope.spawn(old).join()).unwrap();
        assert_eq!(fs::read_to_string(format!("/proc/self/fd/{}/a", old.as_raw_fd())).unwrap(), "high");
        drop(old);
        let root = open(&lowers, Some(&Writable { upper: &upper, work: &work }), &at).unwrap();
        let inside = format!("/proc/self/fd/{}", root.as_raw_fd());
        assert_eq!(fs::read_to_string(format!("{inside}/a")).unwrap(), "high");
        fs::write(format!("{inside}/b"), "new").unwrap();
        assert_eq!(fs::read_to_string(upper.join("b")).unwrap(), "new");
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(directory.path().to_str().unwrap()));
    }
}
