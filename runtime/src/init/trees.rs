//! Mounts that init could not make itself, made before it exists.
//!
//! Runs in the process between the monitor and init ([`crate::launch::Passage`]), with the host's privileges. A
//! container's root that is a plain user to the host may not reach the root filesystem and the sources of bind
//! mounts, and may never map the ids of a mount. Here they become detached mounts (open_tree(2), Linux 5.2;
//! mount_setattr(2), 5.12), which init inherits as descriptors and only has to attach.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::mount::MsFlags;
use nix::sys::stat::Mode;

use super::channel::Failure;
use super::error::{Act, InitError};
use crate::plan::{ContainerPlan, MountKind, MountPlan, RootPlan};
use crate::sys::mount::{self, Attributes};

/// Detached mounts; none where init makes its own.
#[derive(Debug, Default)]
pub(crate) struct Trees {
    pub(super) root: Option<OwnedFd>,
    /// By their place in the spec.
    pub(super) mounts: BTreeMap<usize, OwnedFd>,
}

/// User namespaces whose maps are those of mounts, by the place of the mount in the spec.
pub(crate) type MountMaps = BTreeMap<usize, OwnedFd>;

impl Trees {
    /// Makes the mounts init will need: all with a user namespace, else those whose ids are mapped.
    fn make(plan: &ContainerPlan, maps: &MountMaps) -> Result<Self, InitError> {
        let all = plan.namespaces.is_own(libc::CLONE_NEWUSER);
        let root = all.then(|| root(&plan.root)).transpose()?;
        let mut mounts = BTreeMap::new();
        for (index, one) in plan.mounts.iter().enumerate() {
            let MountKind::Bind { source, recursive } = &one.kind else { continue };
            if all || one.id_map.is_some() {
                let named = |error: InitError| InitError { act: format!("`mounts[{index}]`: {}", error.act), ..error };
                let tree = bind(&plan.root, one, (source, *recursive), maps.get(&index)).map_err(named)?;
                mounts.insert(index, tree);
            }
        }
        Ok(Self { root, mounts })
    }
}

/// Makes the mounts init will need, for the process between.
pub(crate) fn prepare(plan: &ContainerPlan, maps: &MountMaps) -> Result<Trees, Failure> {
    Trees::make(plan, maps).map_err(|error| error.into_failure("mounts"))
}

fn root(plan: &RootPlan) -> Result<OwnedFd, InitError> {
    let tree = copy(plan, &plan.path, true)?;
    if !plan.propagation.follow {
        let private = Attributes { propagation: libc::MS_PRIVATE, ..Attributes::default() };
        mount::mount_setattr(tree.as_fd(), false, private).act_on("separate the root filesystem", &plan.path)?;
    }
    Ok(tree)
}

fn bind(
    root: &RootPlan,
    plan: &MountPlan,
    (source, recursive): (&Path, bool),
    users: Option<&OwnedFd>,
) -> Result<OwnedFd, InitError> {
    let tree = copy(root, source, recursive)?;
    for (attributes, below) in [(plan.options.attributes, false), (plan.options.recursive, true)] {
        if attributes != Attributes::default() {
            mount::mount_setattr(tree.as_fd(), below, attributes).act_on("set mount options of", &plan.destination)?;
        }
    }
    if let (Some(users), Some(map)) = (users, &plan.id_map) {
        mount::map_ids(tree.as_fd(), map.recursive, users.as_fd()).act_on("map the ids of", source)?;
    }
    Ok(tree)
}

/// Copies the mount `path` lies on, from `path` on, as it would look after init has cut its ties to the host.
fn copy(root: &RootPlan, path: &Path, recursive: bool) -> Result<OwnedFd, InitError> {
    let opened = openat(AT_FDCWD, path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty());
    let opened = opened.act_on("open the source of a mount,", path)?;
    let tree = mount::clone_tree(opened.as_fd(), c"", recursive).act_on("copy the mount", path)?;
    if let Some(host) = root.propagation.host.filter(|host| host.contains(MsFlags::MS_REC)) {
        let propagation = (host - MsFlags::MS_REC).bits();
        cut(tree.as_fd(), propagation).act_on("separate from the host", path)?;
    }
    Ok(tree)
}

fn cut(tree: BorrowedFd<'_>, propagation: u64) -> nix::Result<()> {
    mount::mount_setattr(tree, true, Attributes { propagation, ..Attributes::default() })
}
