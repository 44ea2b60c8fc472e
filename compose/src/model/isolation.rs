//! What a container may do and see of the host.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Whose namespace a container uses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Namespace {
    /// Its own.
    #[default]
    Private,
    /// Its own, which others may use too; of `ipc` alone.
    Shareable,
    /// Its own, without /dev/shm; of `ipc` alone.
    None,
    /// The host's.
    Host,
    /// That of the first container of this service.
    Service(String),
    /// That of the container with this name or id.
    Container(String),
}

impl Namespace {
    /// Returns the service whose namespace it is.
    #[must_use]
    pub fn lender(&self) -> Option<&str> {
        match self {
            Self::Service(name) => Some(name),
            _ => None,
        }
    }
}

/// A device node of the host in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The path on the host.
    pub source: PathBuf,
    /// The path in the container.
    pub target: String,
    /// Letters of `rwm`: read, write, mknod.
    pub permissions: String,
}

/// Rights and limits that are not resources.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Isolation {
    /// All capabilities, all devices, nothing masked.
    pub privileged: bool,
    /// Capabilities beyond the default set; with or without `CAP_`, or `ALL`.
    pub cap_add: Vec<String>,
    /// Capabilities taken from the default set; with or without `CAP_`, or `ALL`.
    pub cap_drop: Vec<String>,
    /// `no-new-privileges`: no program gains rights by being executed.
    pub no_new_privileges: bool,
    /// `seccomp=unconfined`: every system call.
    pub seccomp_unconfined: bool,
    /// `seccomp=FILE`: the file of a profile, relative to the project's directory.
    pub seccomp_profile: Option<PathBuf>,
    /// `systempaths=unconfined`: nothing masked or read-only below /proc and /sys.
    pub paths_unconfined: bool,
    /// The root file system is read-only.
    pub read_only: bool,
    /// `apparmor=PROFILE`: a profile that the host has loaded.
    pub apparmor: Option<String>,
    /// `writable-cgroups`: /sys/fs/cgroup may be written to.
    pub writable_cgroups: bool,
    /// Device nodes of the host.
    pub devices: Vec<Device>,
    /// Devices by the names that specifications on the host give them, `vendor/class=name` (CDI).
    pub cdi_devices: Vec<String>,
    /// Rules of further devices that it may use, as `c 1:3 rwm`.
    pub device_rules: Vec<String>,
    /// `cgroup_parent`: the cgroup that the container's is made in, instead of the project's.
    pub cgroup_parent: Option<String>,
    /// `runtime`: another OCI runtime, by name or path.
    pub runtime: Option<String>,
    /// Kernel parameters of the container's namespaces.
    pub sysctls: BTreeMap<String, String>,
    /// `pid`.
    pub pid: Namespace,
    /// `ipc`.
    pub ipc: Namespace,
    /// `uts`.
    pub uts: Namespace,
    /// `cgroup`.
    pub cgroup: Namespace,
    /// `userns_mode: private`: users of its own.
    pub own_users: bool,
}
