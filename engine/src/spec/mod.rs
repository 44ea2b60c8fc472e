//! What a container shall be: the whole input of [`crate::Engine::create`], kept as `spec.json` and never changed.
//!
//! Every front end (`run`, Compose) ends in this one type; nothing below it looks at command lines or Compose files.

mod from_image;
mod health;
mod hook;
mod isolation;
mod log;
mod mounts;
mod network;
mod resources;
mod restart;

pub use from_image::ProcessChoice;
pub use health::{DEFAULT_PROBE_INTERVAL, DEFAULT_PROBE_RETRIES, DEFAULT_PROBE_TIMEOUT, HealthCheck, Probe};
pub use hook::{Hook, Hooks};
pub use isolation::{Ipc, Isolation, Namespace, Ulimit, UnknownSecurityOption};
pub use log::{LogDriver, LogOptionError, LogOptions, SyslogAddress, SyslogFormat, SyslogOptions};
pub use mounts::{BindPropagation, Device, Mount, MountKind, VolumesFrom};
pub use network::{Attachment, Link, NetworkMode, PublishedPort};
pub use resources::{DeviceWeight, Resources, Throttle, Throttled};
pub use restart::{RestartPolicy, UnknownRestartPolicy};

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Time `stop` leaves a container between its stop signal and SIGKILL when nothing else is said.
///
/// 10 s: default of `stop_grace_period`, Compose Specification, 05-services.
pub const DEFAULT_STOP_GRACE: Duration = Duration::from_secs(10);

/// Size of /dev/shm when nothing else is said, in bytes (64 MiB, Docker's `--shm-size` default).
pub const DEFAULT_SHM_SIZE: u64 = 64 << 20;

/// The image a container is made from: enough to find its layers again, even when the name has moved on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageSource {
    /// The name the user gave, for display (`redis:7`).
    pub reference: String,
    /// The image id: digest of the image configuration, `sha256:…`.
    pub id: String,
}

/// Layers that a container stands on instead of an image's: those of an image that is being built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerStack {
    /// The layers' directories, topmost first; at least one.
    pub lowers: Vec<PathBuf>,
    /// The directory whose owner and mode the root has; `None` = root's, 0755.
    pub root: Option<PathBuf>,
    /// Whether nothing that is written need be on the disk before somebody else flushes that. It can be mounted once only.
    #[serde(default)]
    pub is_volatile: bool,
}

/// Which streams of a container a command was to be attached to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attached {
    /// Its input.
    pub stdin: bool,
    /// Its output.
    pub stdout: bool,
    /// Its error output.
    pub stderr: bool,
}

/// Everything that defines a container.
///
/// `command` and `entrypoint` are already joined with the image's: `args` is the argument vector to execute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContainerSpec {
    /// Unique name on this host: `[a-zA-Z0-9][a-zA-Z0-9_.-]*`.
    pub name: String,
    /// Where the root filesystem comes from.
    pub image: ImageSource,
    /// Takes the place of the image's layers; `None` = the image's own.
    #[serde(default)]
    pub layers: Option<LayerStack>,
    /// The program and its arguments; not empty.
    pub args: Vec<String>,
    /// How many of `args` come from the entrypoint (for display only).
    #[serde(default)]
    pub entrypoint_len: usize,
    /// `NAME=value` pairs, complete: image, then service, then command line.
    pub env: Vec<String>,
    /// Working directory inside the container, absolute.
    pub working_dir: String,
    /// `user[:group]`, names or numbers, as in the OCI image configuration; empty = root.
    #[serde(default)]
    pub user: String,
    /// Supplementary groups, names or numbers.
    #[serde(default)]
    pub group_add: Vec<String>,
    /// Host name inside; `None` = short id (or the host's own with host networking).
    #[serde(default)]
    pub hostname: Option<String>,
    /// NIS domain name inside.
    #[serde(default)]
    pub domainname: Option<String>,
    /// Labels, for people and filters.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Annotations, handed to the runtime.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// Mounts beside the standard ones, in the order given.
    #[serde(default)]
    pub mounts: Vec<Mount>,
    /// Containers whose mounts it gets too; [`crate::Engine::create`] adds them to `mounts`.
    #[serde(default)]
    pub volumes_from: Vec<VolumesFrom>,
    /// Host devices to make available.
    #[serde(default)]
    pub devices: Vec<Device>,
    /// Devices by the names that CDI specifications of the host give them, as `nvidia.com/gpu=all`.
    #[serde(default)]
    pub cdi_devices: Vec<String>,
    /// How the container is networked.
    pub network: NetworkMode,
    /// Further names for containers on its networks.
    #[serde(default)]
    pub links: Vec<Link>,
    /// Ports published on the host.
    #[serde(default)]
    pub ports: Vec<PublishedPort>,
    /// `EXPOSE`d ports (`80/tcp`), for display.
    #[serde(default)]
    pub exposed: Vec<String>,
    /// Additional `host:address` lines of /etc/hosts; the address may be `host-gateway`.
    #[serde(default)]
    pub extra_hosts: Vec<(String, String)>,
    /// Nameservers that replace the host's.
    #[serde(default)]
    pub dns: Vec<std::net::IpAddr>,
    /// Search domains that replace the host's.
    #[serde(default)]
    pub dns_search: Vec<String>,
    /// Resolver options that replace the host's.
    #[serde(default)]
    pub dns_options: Vec<String>,
    /// Limits.
    #[serde(default)]
    pub resources: Resources,
    /// Privileges, capabilities, seccomp, read-only root.
    #[serde(default)]
    pub isolation: Isolation,
    /// Size of /dev/shm in bytes.
    #[serde(default = "default_shm_size")]
    pub shm_size: u64,
    /// A terminal instead of pipes for stdin, stdout and stderr.
    #[serde(default)]
    pub tty: bool,
    /// Keep stdin open when nobody is attached.
    #[serde(default)]
    pub open_stdin: bool,
    /// The streams that whoever made it was to be attached to (for display only).
    #[serde(default)]
    pub attached: Attached,
    /// Run lighter's own init as pid 1, which forwards signals and reaps.
    #[serde(default)]
    pub init: bool,
    /// Health check; `None` = none.
    #[serde(default)]
    pub health: Option<HealthCheck>,
    /// Commands at the turns of its life.
    #[serde(default)]
    pub hooks: Hooks,
    /// What happens when the container ends by itself.
    #[serde(default)]
    pub restart: RestartPolicy,
    /// Signal of `stop`, a name (`SIGTERM`) or number.
    #[serde(default)]
    pub stop_signal: Option<String>,
    /// Time between the stop signal and SIGKILL; `None` = [`DEFAULT_STOP_GRACE`].
    #[serde(default)]
    pub stop_grace: Option<Duration>,
    /// Log rotation and driver.
    #[serde(default)]
    pub log: LogOptions,
    /// Delete the container and its anonymous volumes when it ends.
    #[serde(default)]
    pub auto_remove: bool,
    /// Parent cgroup: absolute, or below `/lighter`, as a project is.
    #[serde(default)]
    pub cgroup_parent: Option<String>,
    /// Name or path of another OCI runtime that makes its processes; `None` = our own.
    #[serde(default)]
    pub runtime: Option<String>,
}

fn default_shm_size() -> u64 {
    DEFAULT_SHM_SIZE
}

impl ContainerSpec {
    /// Returns the names of its volumes, anonymous ones too, one for each place it is mounted at.
    pub fn volumes(&self) -> impl Iterator<Item = &str> {
        self.mounts.iter().filter_map(|mount| match &mount.kind {
            MountKind::Volume { name, .. } => Some(name.as_str()),
            _ => None,
        })
    }

    /// Returns the ports that are exposed (`80/tcp`), published ones too: a port may come twice.
    pub fn exposed_ports(&self) -> impl Iterator<Item = String> {
        let published = self.ports.iter().map(|port| format!("{}/{}", port.target, port.protocol));
        self.exposed.iter().cloned().chain(published)
    }

    /// Returns the ids of the images it needs: its own first, then those that are mounted.
    pub fn images(&self) -> impl Iterator<Item = &str> {
        let mounted = self.mounts.iter().filter_map(|mount| match &mount.kind {
            MountKind::Image { id, .. } => Some(id.as_str()),
            _ => None,
        });
        std::iter::once(self.image.id.as_str()).chain(mounted)
    }

    /// Adds variables, `NAME=value`; each takes the place of an earlier one of its name.
    pub fn set_env(&mut self, pairs: impl IntoIterator<Item = String>) {
        self.env = from_image::merge_env(std::mem::take(&mut self.env), pairs);
    }

    /// Takes the further names on networks away: only the container's own name and short id are left.
    pub fn forget_aliases(&mut self) {
        if let NetworkMode::Bridge(attachments) = &mut self.network {
            attachments.iter_mut().for_each(|attachment| attachment.aliases.clear());
        }
    }

    /// Returns a specification with lighter's defaults for everything that need not be said.
    pub fn new(name: String, image: ImageSource, args: Vec<String>) -> Self {
        Self {
            name,
            image,
            layers: None,
            args,
            entrypoint_len: 0,
            env: Vec::new(),
            working_dir: "/".to_owned(),
            user: String::new(),
            group_add: Vec::new(),
            hostname: None,
            domainname: None,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            mounts: Vec::new(),
            volumes_from: Vec::new(),
            devices: Vec::new(),
            cdi_devices: Vec::new(),
            network: NetworkMode::None,
            links: Vec::new(),
            ports: Vec::new(),
            exposed: Vec::new(),
            extra_hosts: Vec::new(),
            dns: Vec::new(),
            dns_search: Vec::new(),
            dns_options: Vec::new(),
            resources: Resources::default(),
            isolation: Isolation::default(),
            shm_size: DEFAULT_SHM_SIZE,
            tty: false,
            open_stdin: false,
            attached: Attached::default(),
            init: false,
            health: None,
            hooks: Hooks::default(),
            restart: RestartPolicy::No,
            stop_signal: None,
            stop_grace: None,
            log: LogOptions::default(),
            auto_remove: false,
            cgroup_parent: None,
            runtime: None,
        }
    }
}
