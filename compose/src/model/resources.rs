//! Limits of a container.

use std::collections::BTreeMap;

use lighter_engine::{DeviceWeight, Throttle};

/// Processor time in billionths of a processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NanoCpus(pub u64);

/// A limit of setrlimit(2); [`None`] is unlimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ulimit {
    /// What applies.
    pub soft: Option<u64>,
    /// What the process may raise it to.
    pub hard: Option<u64>,
}

/// Block I/O: its share, and limits at single devices.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Blkio {
    /// 10 to 1000.
    pub weight: Option<u16>,
    /// Weights at single devices.
    pub weight_devices: Vec<DeviceWeight>,
    /// Limits at single devices.
    pub throttles: Vec<Throttle>,
}

/// Resource limits; `deploy.resources` and the older service keys are one. Sizes are bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resources {
    /// `cpus`, `deploy.resources.limits.cpus`.
    pub cpus: Option<NanoCpus>,
    /// Relative weight.
    pub cpu_shares: Option<u64>,
    /// CFS quota, µs per period.
    pub cpu_quota: Option<i64>,
    /// CFS period, µs.
    pub cpu_period: Option<u64>,
    /// Real-time period, µs; cgroup v1 only.
    pub cpu_rt_period: Option<u64>,
    /// Real-time runtime, µs; cgroup v1 only.
    pub cpu_rt_runtime: Option<i64>,
    /// Processors to run on, `0-2,4`.
    pub cpuset: Option<String>,
    /// `mem_limit`, `deploy.resources.limits.memory`.
    pub memory: Option<u64>,
    /// `mem_reservation`, `deploy.resources.reservations.memory`: what is left to it under pressure.
    pub memory_reservation: Option<u64>,
    /// Memory and swap together; -1 is no limit.
    pub memory_swap: Option<i64>,
    /// How readily its memory is swapped out, 0 to 100; cgroup v1 only.
    pub memory_swappiness: Option<u64>,
    /// `blkio_config`.
    pub blkio: Blkio,
    /// `pids_limit`, `deploy.resources.limits.pids`; -1 is no limit.
    pub pids: Option<i64>,
    /// -1000 to 1000.
    pub oom_score_adj: Option<i32>,
    /// Whether the OOM killer spares it, cgroup v1 only.
    pub oom_kill_disable: bool,
    /// Size of `/dev/shm`.
    pub shm_size: Option<u64>,
    /// By name without `RLIMIT_`, lower case.
    pub ulimits: BTreeMap<String, Ulimit>,
}
