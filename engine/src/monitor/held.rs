//! What is mounted on the host while a container is made: its root filesystem and its network namespace.
//!
//! Whoever makes a mount namespace copies each mount of the host and takes it away again, systemd looks at them all whenever one
//! changes, and `mount` and `df` list them. So they are taken off once the container runs, which has both by itself. The monitor
//! holds them for its next start; a monitor that takes over gets them from the container.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use super::launch::Monitor;
use crate::layout::ContainerPaths;
use crate::state::Process;
use crate::{Engine, rootfs};

/// What is mounted nowhere any more.
#[derive(Default)]
pub(super) struct Held {
    root: Option<OwnedFd>,
    network: Option<OwnedFd>,
}

impl Held {
    /// Takes over what another monitor held, from the container's init.
    pub(super) fn of(engine: &Engine, id: &str, paths: &ContainerPaths, init: Process) -> io::Result<Self> {
        let root = if rootfs::is_mounted(&paths.rootfs()) { None } else { Some(rootfs::of_process(init)?) };
        if !engine.net().has_unmounted_namespace(id) {
            return Ok(Self { root, network: None });
        }
        let network = File::open(format!("/proc/{}/ns/net", init.pid))?;
        if !init.is_alive() {
            return Err(io::ErrorKind::NotFound.into()); // its pid may be another's
        }
        Ok(Self { root, network: Some(network.into()) })
    }
}

impl Monitor {
    /// Takes off the host what the running container has by itself. What cannot be taken off stays there until the end.
    pub(super) fn take_off(&mut self) {
        if self.foreign.is_some() {
            return; // what another runtime needs of it, it alone knows
        }
        if let Ok(Some(root)) = rootfs::take_off(&self.paths.rootfs()) {
            self.held.root = Some(root);
        }
        if let Ok(Some(network)) = self.engine.net().unmount_namespace(&self.id) {
            self.held.network = Some(network);
        }
    }

    /// Removes devices on networks of the host's own from the container's namespace, which may outlive it with another container. They
    /// would keep their addresses from its next start.
    pub(super) fn unplug_neighbours(&self) {
        if let Some(network) = &self.held.network {
            let path = format!("/proc/self/fd/{}", network.as_raw_fd());
            let _ = self.engine.net().remove_neighbours(&self.id, Path::new(&path)); // they go with the namespace
        }
    }

    /// Puts back what the next start needs; what cannot be put back is held on.
    pub(super) fn put_back(&mut self) -> io::Result<()> {
        if let Some(root) = &self.held.root {
            rootfs::put_back(root.as_fd(), &self.paths.rootfs())?;
            self.held.root = None;
        }
        if let Some(network) = &self.held.network {
            let mounted = self.engine.net().mount_namespace(&self.id, network.as_fd());
            mounted.map_err(io::Error::other)?;
            self.held.network = None;
        }
        Ok(())
    }
}
