//! The root filesystem of a container: overlayfs of the image's layers below the container's own.
//!
//! Runs in the monitor, which takes it off the host's mounts once the container runs. Where overlayfs cannot be used (the kernel
//! has none, or it does not take the file system of the data root for a writable layer, as it does not take itself) the layers are
//! copied, once, into the container's directory.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;

use crate::images::store::{Copied, Image, Store, StoreError};
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::statfs::{OVERLAYFS_SUPER_MAGIC, statfs};

use crate::layout::ContainerPaths;
use crate::runtime::launch::mount_mapped;
use crate::runtime::mount::{clone_tree, move_mount};
use crate::runtime::trace::{self, Effect, Target};
use crate::spec::LayerStack;
use crate::state::Process;
use crate::sys::overlay::{Writable, place};

/// Why there is no root filesystem.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RootfsError {
    /// The kernel refused.
    #[error("mount overlay on `{target}` ({layers} layers below)")]
    Mount {
        /// The mount point.
        target: PathBuf,
        /// Number of image layers.
        layers: usize,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The copy of the layers cannot be used.
    #[error("{act} `{path}`")]
    Copy {
        /// What was tried.
        act: &'static str,
        /// The copy.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A directory could not be made.
    #[error(transparent)]
    File(#[from] crate::FileError),
    /// The layers could not be copied.
    #[error(transparent)]
    Images(#[from] StoreError),
}

/// A root filesystem that is mounted.
pub(crate) struct Mounted {
    /// Where.
    pub(crate) path: PathBuf,
    /// What it cost that overlayfs could not be used, when that was found out just now.
    pub(crate) warning: Option<String>,
}

/// Mounts the root filesystem of a container of `image`.
pub(crate) fn mount(paths: &ContainerPaths, store: &Store, image: &Image) -> Result<Mounted, RootfsError> {
    let root = store.root_directory(image);
    if paths.copy().exists() {
        return Ok(Mounted { path: bind_copy(paths)?, warning: None });
    }
    let adopt = |directory: &Path| {
        let failed = |source| RootfsError::Copy { act: "set owner and mode of", path: directory.to_owned(), source };
        adopt_root(root.as_deref(), directory).map_err(failed)
    };
    let is_new = fs::read_dir(paths.upper()).is_ok_and(|mut entries| entries.next().is_none());
    adopt(&paths.upper())?;
    match mount_overlay(paths, &store.layers(image)?, false) {
        Ok(path) => Ok(Mounted { path, warning: None }),
        // What it has written so far is nowhere else.
        Err(error) if !is_new => Err(error),
        Err(RootfsError::Mount { source, .. })
            if matches!(source.raw_os_error(), Some(libc::ENODEV | libc::EINVAL)) =>
        {
            let copied = copy(paths, store, image, &adopt)?;
            Ok(Mounted { path: bind_copy(paths)?, warning: Some(cost(copied, &source)) })
        }
        Err(error) => Err(error),
    }
}

/// Mounts the root filesystem of a container that stands on layers of its own, which needs overlayfs: what a step of a build changes
/// is what it is run for.
pub(crate) fn mount_stack(paths: &ContainerPaths, layers: &LayerStack) -> Result<Mounted, RootfsError> {
    let failed = |source| RootfsError::Copy { act: "set owner and mode of", path: paths.upper(), source };
    adopt_root(layers.root.as_deref(), &paths.upper()).map_err(failed)?;
    Ok(Mounted { path: mount_overlay(paths, &layers.lowers, layers.is_volatile)?, warning: None })
}

fn cost(copied: Copied, source: &io::Error) -> String {
    let megabytes = copied.bytes.div_ceil(1_000_000);
    format!(
        "overlayfs cannot be used here ({source}): copied {} files, {megabytes} MB, for this container",
        copied.files
    )
}

/// Appears by rename, so a copy that is there is whole.
fn copy(
    paths: &ContainerPaths,
    store: &Store,
    image: &Image,
    adopt: &dyn Fn(&Path) -> Result<(), RootfsError>,
) -> Result<Copied, RootfsError> {
    let (whole, partial) = (paths.copy(), paths.copy().with_extension("partial"));
    let failed = |act: &'static str| move |source| RootfsError::Copy { act, path: paths.copy(), source };
    crate::remove_tree::remove_tree(&partial).map_err(failed("make room for"))?;
    crate::durable::create_dir(&partial)?;
    adopt(&partial)?;
    let effect = || Effect::CopyTree { from: image.name(), to: whole.display().to_string() };
    let copied = trace::step(effect, || store.copy_layers(image, &partial))?;
    fs::rename(&partial, &whole).map_err(failed("finish"))?;
    Ok(copied)
}

fn bind_copy(paths: &ContainerPaths) -> Result<PathBuf, RootfsError> {
    let (copy, target) = (paths.copy(), paths.rootfs());
    crate::durable::create_dir(&target)?;
    let effect = || Effect::Mount {
        fstype: String::new(),
        source: copy.display().to_string(),
        target: Target::path(&target),
        options: vec!["bind".to_owned()],
        copy_up: false,
    };
    let bind = || nix::mount::mount::<_, _, str, str>(Some(&copy), &target, None, MsFlags::MS_BIND, None);
    trace::step(effect, bind).map_err(|errno| RootfsError::Copy {
        act: "mount",
        path: copy.clone(),
        source: errno.into(),
    })?;
    Ok(target)
}

/// Gives the writable directory owner, mode and time of the image's root directory: overlayfs shows the topmost one's.
///
/// root's, 0755, if the image does not say. Only once: later the container itself may have changed them.
pub(crate) fn adopt_root(image_root: Option<&Path>, upper: &Path) -> io::Result<()> {
    if fs::read_dir(upper)?.next().is_some() || fs::metadata(upper)?.mode() & 0o7777 != 0o700 {
        return Ok(());
    }
    let Some(image_root) = image_root else {
        return fs::set_permissions(upper, fs::Permissions::from_mode(0o755));
    };
    let root = fs::metadata(image_root)?;
    std::os::unix::fs::chown(upper, Some(root.uid()), Some(root.gid()))?;
    fs::set_permissions(upper, fs::Permissions::from_mode(root.mode() & 0o7777))?;
    fs::File::open(upper)?.set_modified(root.modified()?)
}

/// Mounts the container's root filesystem; `lowers` are the layers' directories, topmost first.
fn mount_overlay(paths: &ContainerPaths, lowers: &[PathBuf], is_volatile: bool) -> Result<PathBuf, RootfsError> {
    let target = paths.rootfs();
    crate::durable::create_dir(&target)?;
    stack(&target, &Directories { lowers, upper: paths.upper(), work: paths.work(), is_volatile })?;
    Ok(target)
}

/// Mounts the root filesystem, which is mounted, anew: with the files of whom the user namespace `users` says.
///
/// overlayfs itself cannot have its ids mapped; what it is made of can (Linux 5.19). That is mounted below the run directory as
/// long as it takes: overlayfs keeps what it needs.
pub(crate) fn map_ids(paths: &ContainerPaths, lowers: &[PathBuf], users: BorrowedFd<'_>) -> Result<(), RootfsError> {
    let target = paths.rootfs();
    let failed = |act: &'static str, path: &Path| {
        let path = path.to_owned();
        move |source| RootfsError::Copy { act, path, source }
    };
    unmount(&target).map_err(failed("unmount", &target))?;
    let map = |source: &Path, place: &Path| {
        let effect = || mapped_bind(source, place);
        trace::step(effect, || mount_mapped(source, place, users)).map_err(failed("map the ids of", source))
    };
    if paths.copy().exists() {
        return map(&paths.copy(), &target);
    }
    let place = |name: String| {
        let place = paths.mapped().join(name);
        crate::durable::create_dir(&place).map(|()| place)
    };
    let own = place("own".to_owned())?;
    map(paths.dir(), &own)?;
    let mut mapped = Vec::with_capacity(lowers.len());
    for (number, lower) in lowers.iter().enumerate() {
        let place = place(number.to_string())?;
        map(lower, &place)?;
        mapped.push(place);
    }
    let (upper, work) = (own.join("upper"), own.join("work"));
    let directories = Directories { lowers: &mapped, upper, work, is_volatile: false };
    stack(&target, &directories)?;
    unmap(paths).map_err(failed("unmount what is below", &paths.mapped()))
}

/// Unmounts what was mounted with its ids mapped; nothing there is success.
pub(crate) fn unmap(paths: &ContainerPaths) -> io::Result<()> {
    let mut places = fs::read_dir(paths.mapped()).into_iter().flatten().flatten();
    places.try_for_each(|place| unmount(&place.path()))
}

fn mapped_bind(source: &Path, target: &Path) -> Effect {
    Effect::Bind {
        source: Target::path(source),
        target: Target::path(target),
        recursive: false,
        options: vec!["X-mount.idmap".to_owned()],
    }
}

/// What overlayfs is made of.
struct Directories<'a> {
    /// The layers', topmost first.
    lowers: &'a [PathBuf],
    upper: PathBuf,
    work: PathBuf,
    /// Whether nothing of it need be on the disk before somebody else flushes that.
    is_volatile: bool,
}

fn stack(target: &Path, directories: &Directories<'_>) -> Result<(), RootfsError> {
    trace::step(|| effect(target, directories), || mount_layers(target, directories))
}

fn effect(target: &Path, directories: &Directories<'_>) -> Effect {
    let lower: Vec<String> = directories.lowers.iter().map(|lower| escape(lower)).collect();
    let (lower, upper, work) = (lower.join(":"), escape(&directories.upper), escape(&directories.work));
    let mut options = vec![format!("lowerdir={lower}"), format!("upperdir={upper}"), format!("workdir={work}")];
    if directories.is_volatile {
        options.push("volatile".to_owned());
    }
    Effect::Mount {
        fstype: "overlay".to_owned(),
        source: "overlay".to_owned(),
        target: Target::path(target),
        options,
        copy_up: false,
    }
}

fn mount_layers(target: &Path, directories: &Directories<'_>) -> Result<(), RootfsError> {
    let Directories { lowers, upper, work, is_volatile } = directories;
    let writable = Writable { upper, work, is_volatile: *is_volatile };
    let result = crate::sys::overlay::mount(target, lowers, &writable);
    result
        .or_else(|error| match error.raw_os_error() {
            // no new mount API, or no lowerdir+ (Linux < 6.5)
            Some(libc::ENOSYS | libc::EINVAL) => classic(target, directories),
            _ => Err(error),
        })
        .map_err(|source| RootfsError::Mount {
            target: target.to_owned(),
            layers: lowers.len(),
            source: translate(source),
        })
}

/// Mounts these directories on `target`, topmost first, for reading only; they are two at least.
///
/// Layers that lie on overlayfs are refused: their marks of removed files may be none that it knows.
pub(crate) fn mount_read_only(target: &Path, lowers: &[PathBuf]) -> io::Result<()> {
    for lower in lowers {
        if statfs(lower)?.filesystem_type() == OVERLAYFS_SUPER_MAGIC {
            return Err(io::Error::other(format!("`{}` is on overlayfs, which cannot be stacked", lower.display())));
        }
    }
    let mounted = crate::sys::overlay::mount_read_only(target, lowers).or_else(|error| match error.raw_os_error() {
        // no new mount API, or no lowerdir+ (Linux < 6.5)
        Some(libc::ENOSYS | libc::EINVAL) => classic_read_only(target, lowers),
        _ => Err(error),
    });
    mounted.map_err(translate)
}

fn classic_read_only(target: &Path, lowers: &[PathBuf]) -> io::Result<()> {
    let directories = lowers.iter().map(fs::File::open).collect::<io::Result<Vec<_>>>()?;
    let data = format!("lowerdir={}", by_descriptor(&directories));
    Ok(nix::mount::mount(Some("overlay"), target, Some("overlay"), MsFlags::MS_RDONLY, Some(data.as_str()))?)
}

fn by_descriptor(directories: &[fs::File]) -> String {
    let paths: Vec<_> = directories.iter().map(|fd| format!("/proc/self/fd/{}", fd.as_raw_fd())).collect();
    paths.join(":")
}

/// Tells whether something is mounted on a directory.
pub(crate) fn is_mounted(target: &Path) -> bool {
    matches!(open_mounted(target), Ok(Some(_)))
}

/// Opens what is mounted on a directory; `None` if nothing is.
pub(crate) fn open_mounted(target: &Path) -> io::Result<Option<OwnedFd>> {
    let (parent, mounted) = match (target.parent().map(fs::symlink_metadata), fs::File::open(target)) {
        (Some(Ok(parent)), Ok(mounted)) => (parent, mounted),
        (Some(Err(error)), _) | (_, Err(error)) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => return Ok(None),
    };
    Ok((mounted.metadata()?.dev() != parent.dev()).then(|| mounted.into()))
}

/// Takes a container's root filesystem off the host's mounts. What is returned is attached nowhere, and can be put back;
/// `None` = nothing was mounted there. Linux 5.2.
pub(crate) fn take_off(target: &Path) -> io::Result<Option<OwnedFd>> {
    let Some(mounted) = open_mounted(target)? else { return Ok(None) };
    let root = clone_tree(mounted.as_fd(), c"", false)?;
    unmount(target)?;
    Ok(Some(root))
}

/// Mounts a root filesystem that is attached nowhere.
pub(crate) fn put_back(root: BorrowedFd<'_>, target: &Path) -> io::Result<()> {
    Ok(move_mount(root, place(target)?.as_fd())?)
}

/// Copies the root filesystem of a process, without what is mounted in it; it is attached nowhere.
///
/// A thread does, which another mount namespace can be given to.
pub(crate) fn of_process(process: Process) -> io::Result<OwnedFd> {
    let inside = || -> io::Result<OwnedFd> {
        let mounts = fs::File::open(format!("/proc/{}/ns/mnt", process.pid))?;
        if !process.is_alive() {
            return Err(Errno::ESRCH.into()); // its pid may be another's
        }
        unshare(CloneFlags::CLONE_FS)?;
        setns(mounts, CloneFlags::CLONE_NEWNS)?;
        Ok(clone_tree(place(Path::new("/"))?.as_fd(), c"", false)?)
    };
    thread::scope(|scope| scope.spawn(inside).join()).unwrap_or_else(|panic| resume_unwind(panic))
}

/// mount(2), whose options must fit into one page: layers go by descriptor, `/proc/self/fd/N`, so 127 of them fit.
fn classic(target: &Path, directories: &Directories<'_>) -> io::Result<()> {
    let lowers = directories.lowers.iter().map(fs::File::open).collect::<io::Result<Vec<_>>>()?;
    let (upper, work) = (escape(&directories.upper), escape(&directories.work));
    let volatile = if directories.is_volatile { "volatile," } else { "" };
    let data = format!("{volatile}lowerdir={},upperdir={upper},workdir={work}", by_descriptor(&lowers));
    Ok(nix::mount::mount(Some("overlay"), target, Some("overlay"), MsFlags::empty(), Some(data.as_str()))?)
}

/// `,` separates options: a backslash takes that meaning away (Documentation/filesystems/overlayfs.rst).
fn escape(path: &Path) -> String {
    path.display().to_string().replace('\\', "\\\\").replace(',', "\\,")
}

/// Unmounts, lazily, however often something was mounted there; not mounted is success.
pub(crate) fn unmount(target: &Path) -> io::Result<()> {
    loop {
        let let_go = || umount2(target, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW);
        match trace::step(|| Effect::Unmount { target: Target::path(target) }, let_go) {
            Ok(()) => {}
            Err(nix::Error::EINVAL | nix::Error::ENOENT) => return Ok(()),
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// ENOSPC of a mount means the limit of /proc/sys/fs/mount-max, not a full disk.
fn translate(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(libc::ENOSPC) => io::Error::other("the limit of mounts (/proc/sys/fs/mount-max) is reached"),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_in_paths_are_escaped() {
        assert_eq!(escape(Path::new("/a:b,c\\d")), "/a:b\\,c\\\\d");
    }
}
