//! What a container may do and see of the host.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Whose namespace a container uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Namespace {
    /// Its own, open to others where the kind allows it (`shareable`).
    Private,
    /// The host's.
    Host,
    /// That of the first container of this service.
    Service(String),
    /// That of this container.
    Container(String),
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
    /// `no-new-privileges`, `seccomp=…`, `apparmor=…`, `label=…`, `systempaths=…`, as written; paths are absolute.
    pub security_opt: Vec<String>,
    /// The root file system is read-only.
    pub read_only: bool,
    /// Device nodes of the host.
    pub devices: Vec<Device>,
    /// Further device rules, `c 1:3 mr`.
    pub device_cgroup_rules: Vec<String>,
    /// Kernel parameters of the container's namespaces.
    pub sysctls: BTreeMap<String, String>,
    /// `pid`; [`None`] is private.
    pub pid: Option<Namespace>,
    /// `ipc`; [`None`] is private.
    pub ipc: Option<Namespace>,
    /// `uts`; [`None`] is private.
    pub uts: Option<Namespace>,
    /// `cgroup`; [`None`] is private.
    pub cgroup: Option<Namespace>,
}
