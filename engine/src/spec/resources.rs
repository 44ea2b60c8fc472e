//! Limits of a container.

use std::path::PathBuf;

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
    /// Real-time period in µs (cgroup v1 only).
    pub cpu_rt_period: Option<u64>,
    /// Real-time runtime in µs (cgroup v1 only).
    pub cpu_rt_runtime: Option<i64>,
    /// How readily its memory is swapped out, 0…100 (cgroup v1 only).
    pub memory_swappiness: Option<u64>,
    /// Number of processes and threads; -1 = not limited.
    pub pids: Option<i64>,
    /// Weight of block I/O, 10…1000.
    pub blkio_weight: Option<u16>,
    /// Weights of block I/O at single devices.
    pub blkio_weight_devices: Vec<DeviceWeight>,
    /// Limits of block I/O at single devices.
    pub blkio_throttles: Vec<Throttle>,
    /// Do not kill on memory exhaustion (cgroup v1 only).
    pub oom_kill_disable: bool,
}

/// Weight of block I/O at one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceWeight {
    /// Path of the device on the host.
    pub device: PathBuf,
    /// 10…1000.
    pub weight: u16,
}

/// What of block I/O is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Throttled {
    /// Bytes read per second.
    ReadBytes,
    /// Bytes written per second.
    WriteBytes,
    /// Reads per second.
    Reads,
    /// Writes per second.
    Writes,
}

/// A limit of block I/O at one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Throttle {
    /// Path of the device on the host.
    pub device: PathBuf,
    /// What is limited.
    pub what: Throttled,
    /// To how much, per second.
    pub rate: u64,
}
