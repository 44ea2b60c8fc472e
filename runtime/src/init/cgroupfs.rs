//! The container's view of its cgroups at `/sys/fs/cgroup`.
//!
//! Version 2: its own cgroup as the root. Version 1 and hybrid: a tmpfs with a directory for each
//! hierarchy, and links for controllers that share one, as on the host.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::Mode;
use nix::unistd::symlinkat;

use super::beneath::RootDirectory;
use super::error::{Act, InitError};
use super::place::{self, Place};
use crate::cgroup::{Cgroup, Hierarchy, Kind};
use crate::plan::{MountOptions, MountPlan, Namespaces};
use crate::sys::mount::Attributes;
use crate::trace::{self, Effect};

/// One hierarchy, as init needs to know it to mount it; found in the monitor.
#[derive(Debug)]
pub(crate) struct CgroupView {
    kind: Kind,
    /// Its mount options, for version 1.
    options: Vec<String>,
    /// The name of its directory on the host.
    name: PathBuf,
    /// The container's cgroup in it, as a path of the host.
    directory: PathBuf,
    /// Mount it, which makes the root of the container's cgroup namespace its root; else bind the directory.
    ///
    /// For version 1 that has the same effect, and costs less: each mount in a cgroup namespace of its own makes the kernel
    /// go through all cgroups of version 2 (`cgroup1_get_tree`). Whoever has users of its own may not bind what is the host's.
    mounted: bool,
}

impl CgroupView {
    /// Describes the hierarchies where `cgroup` exists.
    pub(crate) fn of(cgroup: &Cgroup, namespaces: &Namespaces) -> Vec<Self> {
        let namespaced = namespaces.is_new(libc::CLONE_NEWCGROUP);
        let own_users = namespaces.is_own(libc::CLONE_NEWUSER);
        let view = |(hierarchy, directory): (&Hierarchy, PathBuf)| Self {
            kind: hierarchy.kind.clone(),
            options: hierarchy.mount_options(),
            name: hierarchy.mount.file_name().unwrap_or_default().into(),
            directory,
            mounted: namespaced && (own_users || hierarchy.kind == Kind::V2),
        };
        cgroup.existing().map(view).collect()
    }
}

/// Mounts the view.
pub(super) fn mount(root: &RootDirectory, plan: &MountPlan, views: &[CgroupView]) -> Result<(), InitError> {
    if let [view @ CgroupView { kind: Kind::V2, .. }] = views {
        return mount_hierarchy(&Place::directory(root, &plan.destination)?, view, &plan.options);
    }
    let place = Place::directory(root, &plan.destination)?;
    let read_only = 1;
    let writable = Attributes { set: plan.options.attributes.set & !read_only, ..Attributes::default() };
    let data = vec![("mode".to_owned(), Some("755".to_owned()))];
    place.mount_filesystem(
        "tmpfs",
        "tmpfs",
        &MountOptions { attributes: writable, data, ..MountOptions::default() },
    )?;
    for view in views {
        let path = plan.destination.join(&view.name);
        mount_hierarchy(&Place::directory(root, &path)?, view, &plan.options)?;
        link_controllers(root, &plan.destination, view)?;
    }
    let mounted = root.open_path(&plan.destination, OFlag::O_PATH).act_on("open", &plan.destination)?;
    let change = Attributes { set: plan.options.attributes.set & read_only, ..Attributes::default() };
    let effect = || Effect::remount(&plan.destination, change);
    trace::step(effect, || place::change(mounted.as_fd(), false, change))
        .act_on("set mount options of", &plan.destination)
}

fn mount_hierarchy(place: &Place<'_>, view: &CgroupView, options: &MountOptions) -> Result<(), InitError> {
    if !view.mounted {
        let directory = openat(AT_FDCWD, &view.directory, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty());
        let directory = directory.act_on("open", &view.directory)?;
        return place.bind(directory.as_fd(), true, options.attributes, Attributes::default());
    }
    let fstype = if view.kind == Kind::V2 { "cgroup2" } else { "cgroup" };
    let data = view.options.iter().map(|option| match option.split_once('=') {
        Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
        None => (option.clone(), None),
    });
    let options = MountOptions { data: data.collect(), ..options.clone() };
    place.mount_filesystem(fstype, "cgroup", &options)
}

/// Makes `cpu` and `cpuacct` links to `cpu,cpuacct`.
fn link_controllers(root: &RootDirectory, destination: &Path, view: &CgroupView) -> Result<(), InitError> {
    let Kind::V1(controllers) = &view.kind else { return Ok(()) };
    let directory = root.open_path(destination, OFlag::O_PATH).act_on("open", destination)?;
    for controller in controllers.iter().filter(|name| Path::new(name) != view.name) {
        let effect = || Effect::link(&destination.join(controller), &view.name);
        match trace::step(effect, || symlinkat(&view.name, directory.as_fd(), controller.as_str())) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno).act_on("link controllers in", destination),
        }
    }
    Ok(())
}
