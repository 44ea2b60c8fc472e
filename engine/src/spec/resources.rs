//! Limits of a container.

use serde::{Deserialize, Serialize};

/// Resource limits; `None` = not limited.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// Memory in bytes.
    pub memory: Option<u64>,
    /// Memory and swap together in bytes; -1 = unlimited swap. Needs `memory`.
    pub memory_swap: Option<i64>,
    /// Soft limit of memory in bytes.
    pub memory_reservation: Option<u64>,
    /// CPUs in units of 10⁻⁹.
    pub nano_cpus: Option<u64>,
    /// Relative weight, 1024 = normal.
    pub cpu_shares: Option<u64>,
    /// CFS period in µs.
    pub cpu_period: Option<u64>,
    /// CFS quota in µs.
    pub cpu_quota: Option<i64>,
    /// CPUs that may be used, as `0-2,4`.
    pub cpuset_cpus: Option<String>,
    /// Memory nodes that may be used, as `0,1`.
    pub cpuset_mems: Option<String>,
    /// Number of processes and threads; -1 = not limited.
    pub pids: Option<i64>,
    /// Weight of block I/O, 10…1000.
    pub blkio_weight: Option<u16>,
    /// Do not kill on memory exhaustion (cgroup v1 only).
    pub oom_kill_disable: bool,
}
