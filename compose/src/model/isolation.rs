//! What a container may do and see of the host.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Whose namespace a container uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Namespace {
    /// Its own.
    #[default]
    Private,
    /// The host's.
    Host,
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
    /// `systempaths=unconfined`: nothing masked or read-only below /proc and /sys.
    pub paths_unconfined: bool,
    /// The root file system is read-only.
    pub read_only: bool,
    /// Device nodes of the host.
    pub devices: Vec<Device>,
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
}
