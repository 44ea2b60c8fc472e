//! The mounts of a container, in the order of the spec.
//!
//! Before the pivot: sources are paths of the host. Targets are opened beneath the root filesystem.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::mount::mount;
use nix::sys::stat::{Mode, SFlag, fstat};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};

use super::beneath::RootDirectory;
use super::cgroupfs::{self, CgroupView};
use super::error::{Act, InitError};
use super::place::Place;
use super::trees::Trees;
use crate::plan::{ContainerPlan, MountKind, MountOptions, MountPlan};

/// Cuts the way from our mounts to the host's: what is mounted from here on stays in here.
///
/// Unless the spec wants it open; and a namespace that others made, and may live in, keeps the ways it has.
pub(super) fn isolate(plan: &ContainerPlan) -> Result<(), InitError> {
    match plan.root.propagation.host {
        Some(flags) if plan.namespaces.is_new(libc::CLONE_NEWNS) => {
            let none = None::<&str>;
            mount(none, "/", none, flags, none).act("separate the mounts from those of the host")
        }
        _ => Ok(()),
    }
}

/// Makes all mounts.
pub(super) fn make(
    root: &RootDirectory,
    mounts: &[MountPlan],
    cgroups: &[CgroupView],
    trees: &Trees,
) -> Result<(), InitError> {
    mounts.iter().enumerate().try_for_each(|(index, plan)| {
        let named = |error: InitError| InitError { act: format!("`mounts[{index}]`: {}", error.act), ..error };
        make_one(root, plan, cgroups, trees.mounts.get(&index)).map_err(named)
    })
}

fn make_one(
    root: &RootDirectory,
    plan: &MountPlan,
    cgroups: &[CgroupView],
    tree: Option<&OwnedFd>,
) -> Result<(), InitError> {
    match &plan.kind {
        MountKind::Bind { source, recursive } => match tree {
            Some(tree) => attach(root, plan, source, tree),
            None => bind(root, plan, source, *recursive),
        },
        MountKind::Cgroup => cgroupfs::mount(root, plan, cgroups),
        MountKind::Filesystem { fstype, source } => filesystem(root, plan, fstype, source),
    }
}

fn bind(root: &RootDirectory, plan: &MountPlan, source: &Path, recursive: bool) -> Result<(), InitError> {
    let opened = openat(AT_FDCWD, source, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty());
    let opened = opened.act_on("open the source of a mount,", source)?;
    let place = place_for(root, plan, source, opened.as_fd())?;
    let MountOptions { attributes, recursive: below, .. } = plan.options;
    place.bind(opened.as_fd(), recursive, attributes, below)
}

/// Attaches a mount that was made, and given its options, before this process existed.
fn attach(root: &RootDirectory, plan: &MountPlan, source: &Path, tree: &OwnedFd) -> Result<(), InitError> {
    place_for(root, plan, source, tree.as_fd())?.attach(tree.as_fd())
}

/// Finds where `opened`, the source of a bind mount, belongs: over a file or over a directory.
fn place_for<'a>(
    root: &'a RootDirectory,
    plan: &'a MountPlan,
    source: &Path,
    opened: BorrowedFd<'_>,
) -> Result<Place<'a>, InitError> {
    let mode = fstat(opened).act_on("look at", source)?.st_mode;
    let is_directory = SFlag::from_bits_truncate(mode) & SFlag::S_IFMT == SFlag::S_IFDIR;
    let place = match is_directory {
        true => Place::directory(root, &plan.destination)?,
        false => Place::file(root, &plan.destination)?,
    };
    if plan.destination == Path::new("/proc") && !is_proc(opened) {
        return Err(InitError::refused(format!(
            "mount `{}` over `/proc`: only a procfs may be there",
            source.display()
        )));
    }
    refuse_inside_proc(&place)?;
    Ok(place)
}

fn filesystem(root: &RootDirectory, plan: &MountPlan, fstype: &str, source: &str) -> Result<(), InitError> {
    let place = Place::directory(root, &plan.destination)?;
    if matches!(fstype, "proc" | "sysfs") {
        refuse_links(&place)?;
    }
    refuse_inside_proc(&place)?;
    let mut options = plan.options.clone();
    if fstype == "tmpfs" && options.data.iter().all(|(key, _)| key != "mode") {
        // A tmpfs without a mode would be 1777; it takes that of the directory it covers instead.
        let mode = fstat(&place.target).act_on("look at", place.path)?.st_mode & 0o7777;
        options.data.push(("mode".to_owned(), Some(format!("{mode:o}"))));
    }
    place.mount_filesystem(fstype, source, &options)
}

/// Refuses `/proc` or `/sys` by way of a link: later steps, and programs, rely on what is there.
fn refuse_links(place: &Place<'_>) -> Result<(), InitError> {
    let opened = place.root.open_without_links(place.path, OFlag::O_PATH | OFlag::O_DIRECTORY);
    opened.map(drop).act_on("mount a kernel file system through a link: open", place.path)
}

/// Refuses a target that a link of the image leads into procfs. What may be covered there is a matter
/// of the spec, and was decided by its path.
fn refuse_inside_proc(place: &Place<'_>) -> Result<(), InitError> {
    if !place.path.starts_with("/proc") && is_proc(place.target.as_fd()) {
        return Err(InitError::refused(format!("mount over `{}`: a link leads into procfs", place.path.display())));
    }
    Ok(())
}

fn is_proc(file: impl AsFd) -> bool {
    fstatfs(file).is_ok_and(|stat| stat.filesystem_type() == PROC_SUPER_MAGIC)
}
