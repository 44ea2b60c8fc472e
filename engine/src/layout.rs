//! Where everything lives on disk. The only place that knows directory names.

use std::path::{Path, PathBuf};

/// The two roots of one lighter installation: `--root` survives a reboot, `--run` does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
    run: PathBuf,
}

impl Layout {
    /// Default of `--root`.
    pub const DEFAULT_ROOT: &'static str = "/var/lib/lighter";
    /// Default of `--run`.
    pub const DEFAULT_RUN: &'static str = "/run/lighter";

    /// Returns the layout below these two directories.
    pub fn new(root: PathBuf, run: PathBuf) -> Self {
        Self { root, run }
    }

    /// Returns the durable root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the run root, empty after a reboot.
    pub fn run(&self) -> &Path {
        &self.run
    }

    /// Returns the directory of the containers' records; a new one appears by rename.
    pub fn containers(&self) -> PathBuf {
        self.root.join("containers")
    }

    pub(crate) fn names(&self) -> PathBuf {
        self.root.join("names")
    }

    /// Returns the symbolic link `name → id` of a container.
    pub(crate) fn name(&self, name: &str) -> PathBuf {
        self.names().join(name)
    }

    pub(crate) fn volumes(&self) -> PathBuf {
        self.root.join("volumes")
    }

    pub(crate) fn container(&self, id: &str) -> ContainerPaths {
        ContainerPaths { dir: self.containers().join(id), run: self.run.join("containers").join(id) }
    }

    /// Returns the directory of the images that are mounted on the host.
    pub(crate) fn image_mounts(&self) -> PathBuf {
        self.run.join("images")
    }

    /// Returns the directory of what is known of containers that nobody wants back after a reboot.
    pub(crate) fn ephemerals(&self) -> PathBuf {
        self.run.join("ephemeral")
    }

    /// Returns the file of such a container, whose `spec.json` is a link to it.
    pub(crate) fn ephemeral(&self, id: &str) -> PathBuf {
        self.ephemerals().join(id)
    }

    /// Returns the directory of the files whose locks say which containers have a monitor.
    pub(crate) fn living(&self) -> PathBuf {
        self.run.join("living")
    }

    /// Returns the directory with a file for each container whose processes a command has stopped for a while.
    pub(crate) fn frozen(&self) -> PathBuf {
        self.run.join("frozen")
    }

    /// Returns the journal of events; the one before it has the extension `1`.
    pub(crate) fn journal(&self) -> PathBuf {
        self.root.join("events").join("journal")
    }

    pub(crate) fn lock(&self, name: &str) -> PathBuf {
        self.run.join("locks").join(name)
    }

    pub(crate) fn container_lock(&self, id: &str) -> PathBuf {
        self.lock(&format!("container-{id}"))
    }
}

/// The files of one container.
#[derive(Debug, Clone)]
pub struct ContainerPaths {
    dir: PathBuf,
    run: PathBuf,
}

impl ContainerPaths {
    /// Returns the durable directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
    /// Returns the directory of what exists only while the container runs; it is the OCI bundle.
    pub fn run(&self) -> &Path {
        &self.run
    }
    /// Returns the file of [`crate::ContainerSpec`].
    pub fn spec(&self) -> PathBuf {
        self.dir.join("spec.json")
    }
    /// Returns whether nobody wants the container back after a reboot.
    pub(crate) fn is_ephemeral(&self) -> bool {
        self.spec().is_symlink()
    }
    /// Returns the file of [`crate::State`].
    pub fn state(&self) -> PathBuf {
        self.dir.join("state.json")
    }
    /// Returns the file that exists while the user wants the container stopped.
    pub fn stop_request(&self) -> PathBuf {
        self.dir.join("stopped-by-user")
    }
    /// Returns the file that exists as long as the container runs, once another has joined its network.
    pub(crate) fn lends_network(&self) -> PathBuf {
        self.run.join("lends-network")
    }
    /// Returns the file that exists instead where there is no room for that one.
    pub(crate) fn stop_request_of_this_boot(&self) -> PathBuf {
        self.run.join("stopped-by-user")
    }
    /// Returns the file of the networks it is on, once it has been connected to others than the specification says.
    pub fn networks(&self) -> PathBuf {
        self.dir.join("networks.json")
    }
    /// Returns overlayfs' writable directory.
    pub fn upper(&self) -> PathBuf {
        self.dir.join("upper")
    }
    /// Returns overlayfs' work directory.
    pub fn work(&self) -> PathBuf {
        self.dir.join("work")
    }
    /// Returns the container's own copy of its image's files, which is there if overlayfs could not be used.
    pub fn copy(&self) -> PathBuf {
        self.dir.join("copy")
    }
    /// Returns the directory of hosts, hostname and resolv.conf.
    pub fn etc(&self) -> PathBuf {
        self.dir.join("etc")
    }
    /// Returns the directory of the log files.
    pub fn logs(&self) -> PathBuf {
        self.dir.join("logs")
    }
    /// Returns the current log file.
    pub fn log(&self) -> PathBuf {
        self.logs().join("container.log")
    }
    /// Returns where the root filesystem is mounted while the container runs.
    pub fn rootfs(&self) -> PathBuf {
        self.run.join("rootfs")
    }
    /// Returns the directory of what is mounted for the container to have it mounted: images and parts of volumes.
    pub(crate) fn mount_sources(&self) -> PathBuf {
        self.run.join("sources")
    }
    /// Returns where the source of its mount `number` is mounted.
    pub(crate) fn mount_source(&self, number: usize) -> PathBuf {
        self.mount_sources().join(number.to_string()).join("merged")
    }
    /// Returns the file of the other runtime that makes the container, which is there before the runtime is called.
    pub(crate) fn oci_runtime(&self) -> PathBuf {
        self.run.join("runtime.json")
    }
    /// Returns the directory in which that runtime keeps what it knows.
    pub(crate) fn oci_state(&self) -> PathBuf {
        self.run.join("oci")
    }
    /// Returns where the user namespace is mounted of a container that has users of its own.
    pub(crate) fn users(&self) -> PathBuf {
        self.run.join("users")
    }
    /// Returns the file of the host's ids that such a container has.
    pub(crate) fn id_range_file(&self) -> PathBuf {
        self.run.join("ids.json")
    }
    /// Returns the directory in which its layers are mounted for a moment.
    pub(crate) fn mapped(&self) -> PathBuf {
        self.run.join("mapped")
    }
    /// Returns where memory is mounted that other containers may share.
    pub(crate) fn shm(&self) -> PathBuf {
        self.run.join("shm")
    }
    /// Returns the file of [`crate::Health`].
    pub fn health(&self) -> PathBuf {
        self.run.join("health.json")
    }
    /// Returns the file with the cgroup's path, written before the cgroup is made.
    pub fn cgroup(&self) -> PathBuf {
        self.run.join("cgroup.json")
    }
    /// Returns the file that exists while the user wants the container paused.
    pub fn pause_request(&self) -> PathBuf {
        self.run.join("paused")
    }
    /// Returns the FIFO of stdout.
    pub fn stdout(&self) -> PathBuf {
        self.run.join("stdout")
    }
    /// Returns the FIFO of stderr.
    pub fn stderr(&self) -> PathBuf {
        self.run.join("stderr")
    }
    /// Returns the FIFO of stdin.
    pub fn stdin(&self) -> PathBuf {
        self.run.join("stdin")
    }
    /// Returns the socket to attach to.
    pub fn attach(&self) -> PathBuf {
        self.run.join("attach.sock")
    }
}
