//! Privileges of a container.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Whose namespace of a kind a container is in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Namespace {
    /// One of its own.
    #[default]
    Private,
    /// The host's.
    Host,
    /// That of another container, by id, which must run when this one starts.
    Container(String),
}

/// Whose System V and POSIX queues, semaphores and shared memory a container has: docker-run(1), `--ipc`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ipc {
    /// Its own, which nobody can join.
    #[default]
    Private,
    /// Its own, which other containers may join: its /dev/shm is mounted where they can reach it.
    Shareable,
    /// Its own, without /dev/shm.
    None,
    /// The host's.
    Host,
    /// That of another container, by id, which must run when this one starts, and be shareable.
    Container(String),
}

/// What separates the container from the host, beyond the namespaces it always has.
///
/// The default is Docker's: 14 capabilities, the default seccomp profile, masked paths.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Isolation {
    /// All capabilities, all devices, no seccomp, nothing masked.
    pub privileged: bool,
    /// Capabilities added (`NET_ADMIN`, `CAP_NET_ADMIN` or `ALL`).
    pub cap_add: Vec<String>,
    /// Capabilities dropped, applied after the default set and before `cap_add`; `ALL` drops the default set.
    pub cap_drop: Vec<String>,
    /// `security_opt: no-new-privileges`.
    pub no_new_privileges: bool,
    /// `security_opt: seccomp=unconfined`.
    pub seccomp_unconfined: bool,
    /// `security_opt: seccomp=FILE`: a profile in Docker's JSON form that takes the place of the default one.
    pub seccomp_profile: Option<String>,
    /// `security_opt: apparmor=PROFILE`: a profile that the host has loaded.
    pub apparmor: Option<String>,
    /// `security_opt: writable-cgroups`: /sys/fs/cgroup may be written to.
    pub writable_cgroups: bool,
    /// `security_opt: systempaths=unconfined`: nothing masked or read-only below /proc and /sys.
    pub paths_unconfined: bool,
    /// The root filesystem is read-only.
    pub read_only: bool,
    /// Resource limits of setrlimit(2).
    pub ulimits: Vec<Ulimit>,
    /// Kernel parameters of the container's own namespaces.
    pub sysctls: BTreeMap<String, String>,
    /// Rules of further devices that it may use, as `c 1:3 rwm` (docker-run(1), `--device-cgroup-rule`).
    pub device_rules: Vec<String>,
    /// Whose processes it sees.
    pub pid: Namespace,
    /// Whose queues, semaphores and shared memory it has.
    pub ipc: Ipc,
    /// Whose host name it has.
    pub uts: Namespace,
    /// Share the host's cgroup namespace.
    pub host_cgroup: bool,
    /// Users of its own: root inside is nobody outside.
    pub own_users: bool,
    /// Adjustment of the kernel's OOM killer, -1000…1000.
    pub oom_score_adj: Option<i32>,
}

/// A `security_opt` that lighter does not have.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "security option `{0}` is not supported: use no-new-privileges, seccomp=, apparmor=, systempaths=unconfined, \
     writable-cgroups or label=disable"
)]
pub struct UnknownSecurityOption(String);

impl Isolation {
    /// Applies one `security_opt` of docker-run(1) or Compose: `no-new-privileges[:true]`, `seccomp=unconfined` …
    pub fn apply_security_option(&mut self, option: &str) -> Result<(), UnknownSecurityOption> {
        let (name, value) = option.split_once([':', '=']).unwrap_or((option, ""));
        match (name, value) {
            ("no-new-privileges", "" | "true") => self.no_new_privileges = true,
            ("no-new-privileges", "false") => self.no_new_privileges = false,
            ("seccomp", "unconfined") => self.seccomp_unconfined = true,
            ("seccomp", "builtin") => self.seccomp_unconfined = false,
            ("systempaths", "unconfined") => self.paths_unconfined = true,
            ("writable-cgroups", "" | "true") => self.writable_cgroups = true,
            ("writable-cgroups", "false") => self.writable_cgroups = false,
            // neither confines anything where it is not in force, so turning it off is nothing to do
            ("apparmor", "unconfined") | ("label", "disable") => {}
            ("apparmor", profile) if !profile.is_empty() => self.apparmor = Some(profile.to_owned()),
            _ => return Err(UnknownSecurityOption(option.to_owned())),
        }
        Ok(())
    }
}

/// One limit of setrlimit(2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// Name without prefix, lower case: `nofile`.
    pub name: String,
    /// Soft limit; `u64::MAX` = unlimited.
    pub soft: u64,
    /// Hard limit; `u64::MAX` = unlimited.
    pub hard: u64,
}
