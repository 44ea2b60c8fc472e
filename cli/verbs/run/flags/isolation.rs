//! Flags of `run`: what separates the container from the host.

/// What separates it from the host
#[derive(clap::Args, Clone)]
pub(in crate::verbs::run) struct IsolationFlags {
    /// Add a capability
    #[arg(long, value_name = "CAP", help_heading = "Isolation")]
    pub(in crate::verbs::run) cap_add: Vec<String>,
    /// Drop a capability
    #[arg(long, value_name = "CAP", help_heading = "Isolation")]
    pub(in crate::verbs::run) cap_drop: Vec<String>,
    /// All privileges of the host's root
    #[arg(long, help_heading = "Isolation")]
    pub(in crate::verbs::run) privileged: bool,
    /// `no-new-privileges`, `seccomp=FILE|unconfined`, `apparmor=PROFILE`, `systempaths=unconfined`, `writable-cgroups`
    #[arg(long, value_name = "OPTION", help_heading = "Isolation")]
    pub(in crate::verbs::run) security_opt: Vec<String>,
    /// Kernel parameter of its own namespaces
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Isolation")]
    pub(in crate::verbs::run) sysctl: Vec<String>,
    /// Allow a device by number: `c 10:229 rw`
    #[arg(long, value_name = "RULE", help_heading = "Isolation")]
    pub(in crate::verbs::run) device_cgroup_rule: Vec<String>,
    /// Whose processes it sees: `private`, `host` or `container:NAME`
    #[arg(long, value_name = "WHOSE", help_heading = "Isolation")]
    pub(in crate::verbs::run) pid: Option<String>,
    /// Whose shared memory it has: `private`, `shareable`, `none`, `host` or `container:NAME`
    #[arg(long, value_name = "WHOSE", help_heading = "Isolation")]
    pub(in crate::verbs::run) ipc: Option<String>,
    /// Whose host name it has: `private`, `host` or `container:NAME`
    #[arg(long, value_name = "WHOSE", help_heading = "Isolation")]
    pub(in crate::verbs::run) uts: Option<String>,
    /// Whose cgroups it sees as its own: `private` or `host`
    #[arg(long, value_name = "WHOSE", value_parser = ["private", "host", ""], help_heading = "Isolation")]
    pub(in crate::verbs::run) cgroupns: Option<String>,
    /// Whose users it has: `host`, or `private`, of whom root too is nobody on the host
    #[arg(long, value_name = "WHOSE", value_parser = ["host", "private", ""], help_heading = "Isolation")]
    pub(in crate::verbs::run) userns: Option<String>,
    /// Another OCI runtime: one of the configuration, or a program, by name or path
    #[arg(long, value_name = "NAME|PATH", help_heading = "Isolation")]
    pub(in crate::verbs::run) runtime: Option<String>,
}
