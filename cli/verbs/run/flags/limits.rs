//! Flags of `run`: how much the container may use.

/// How much it may use
#[derive(clap::Args, Clone)]
pub(in crate::verbs::run) struct LimitFlags {
    /// Limit of memory
    #[arg(short, long, value_name = "BYTES", help_heading = "Limits")]
    pub(in crate::verbs::run) memory: Option<String>,
    /// Limit of memory and swap together, -1 for no limit of swap
    #[arg(long, value_name = "BYTES", allow_hyphen_values = true, help_heading = "Limits")]
    pub(in crate::verbs::run) memory_swap: Option<String>,
    /// Soft limit of memory, which counts when the host runs short
    #[arg(long, value_name = "BYTES", help_heading = "Limits")]
    pub(in crate::verbs::run) memory_reservation: Option<String>,
    /// How readily its memory is swapped out, 0 to 100 (cgroup version 1)
    #[arg(long, value_name = "N", allow_hyphen_values = true, help_heading = "Limits")]
    pub(in crate::verbs::run) memory_swappiness: Option<i64>,
    /// Number of CPUs
    #[arg(long, help_heading = "Limits")]
    pub(in crate::verbs::run) cpus: Option<f64>,
    /// Relative weight of CPU time
    #[arg(short, long, help_heading = "Limits")]
    pub(in crate::verbs::run) cpu_shares: Option<u64>,
    /// Period of the CPU quota, in µs
    #[arg(long, value_name = "MICROSECONDS", help_heading = "Limits")]
    pub(in crate::verbs::run) cpu_period: Option<u64>,
    /// CPU time in each period, in µs
    #[arg(long, value_name = "MICROSECONDS", allow_hyphen_values = true, help_heading = "Limits")]
    pub(in crate::verbs::run) cpu_quota: Option<i64>,
    /// Real-time period, in µs (cgroup version 1)
    #[arg(long, value_name = "MICROSECONDS", help_heading = "Limits")]
    pub(in crate::verbs::run) cpu_rt_period: Option<u64>,
    /// Real-time runtime in each period, in µs (cgroup version 1)
    #[arg(long, value_name = "MICROSECONDS", help_heading = "Limits")]
    pub(in crate::verbs::run) cpu_rt_runtime: Option<i64>,
    /// CPUs that may be used: `0-2,4`
    #[arg(long, value_name = "CPUS", help_heading = "Limits")]
    pub(in crate::verbs::run) cpuset_cpus: Option<String>,
    /// Memory nodes that may be used: `0,1`
    #[arg(long, value_name = "NODES", help_heading = "Limits")]
    pub(in crate::verbs::run) cpuset_mems: Option<String>,
    /// Weight of block I/O, 10 to 1000, 0 for none
    #[arg(long, value_name = "WEIGHT", help_heading = "Limits")]
    pub(in crate::verbs::run) blkio_weight: Option<u16>,
    /// Weight of block I/O at one device
    #[arg(long, value_name = "DEVICE:WEIGHT", help_heading = "Limits")]
    pub(in crate::verbs::run) blkio_weight_device: Vec<String>,
    /// Bytes per second read from a device
    #[arg(long, value_name = "DEVICE:BYTES", help_heading = "Limits")]
    pub(in crate::verbs::run) device_read_bps: Vec<String>,
    /// Bytes per second written to a device
    #[arg(long, value_name = "DEVICE:BYTES", help_heading = "Limits")]
    pub(in crate::verbs::run) device_write_bps: Vec<String>,
    /// Reads per second from a device
    #[arg(long, value_name = "DEVICE:N", help_heading = "Limits")]
    pub(in crate::verbs::run) device_read_iops: Vec<String>,
    /// Writes per second to a device
    #[arg(long, value_name = "DEVICE:N", help_heading = "Limits")]
    pub(in crate::verbs::run) device_write_iops: Vec<String>,
    /// Number of processes, -1 for no limit
    #[arg(long, value_name = "N", allow_hyphen_values = true, help_heading = "Limits")]
    pub(in crate::verbs::run) pids_limit: Option<i64>,
    /// Resource limit: `nofile=1024[:2048]`
    #[arg(long, value_name = "NAME=SOFT[:HARD]", help_heading = "Limits")]
    pub(in crate::verbs::run) ulimit: Vec<String>,
    /// Parent cgroup, absolute or below lighter's
    #[arg(long, value_name = "PATH", help_heading = "Limits")]
    pub(in crate::verbs::run) cgroup_parent: Option<String>,
    /// Preference of the OOM killer, -1000 (last) to 1000
    #[arg(long, value_name = "N", allow_hyphen_values = true, help_heading = "Limits")]
    pub(in crate::verbs::run) oom_score_adj: Option<i32>,
    /// Freeze instead of being killed when memory runs out (cgroup version 1)
    #[arg(long, help_heading = "Limits")]
    pub(in crate::verbs::run) oom_kill_disable: bool,
}
