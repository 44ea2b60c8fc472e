//! What a cgroup has used.

mod detailed;
mod parse;
mod read;

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::oom::keyed_value;
use super::{Cgroup, CgroupError};

pub(super) use parse::list;

pub use detailed::{
    BlockIo, Cpu, CpuSet, CpuUsage, DetailedStats, DeviceFigure, HugePages, IntelRdt, Memory, MemoryEntry,
    MemoryEvents, Pids, Pressure, PressureLine, Throttling,
};

/// Figures of a cgroup and all below it. What no controller accounts for is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Memory charged, file cache included; bytes.
    pub memory_usage: u64,
    /// File cache that can be dropped at once; bytes. `docker stats` subtracts it from the usage.
    pub memory_inactive_file: u64,
    /// Memory limit; bytes, `None` without limit.
    pub memory_limit: Option<u64>,
    /// Processor time; nanoseconds.
    pub cpu_ns: u64,
    /// Processor time in user mode; nanoseconds.
    pub cpu_user_ns: u64,
    /// Processor time in kernel mode; nanoseconds.
    pub cpu_system_ns: u64,
    /// Processes and threads.
    pub pids: u64,
    /// Most processes and threads there may be; `None` without limit.
    pub pids_limit: Option<u64>,
    /// Bytes read from block devices.
    pub io_read_bytes: u64,
    /// Bytes written to block devices.
    pub io_write_bytes: u64,
}

/// A clock tick of `cpuacct.stat`, in nanoseconds: USER_HZ is 100 on every supported machine.
const TICK_NS: u64 = 10_000_000;

impl Cgroup {
    /// Reads the figures of this cgroup.
    ///
    /// # Errors
    /// [`CgroupError::Unavailable`] when the cgroup is gone.
    pub fn stats(&self) -> Result<Stats, CgroupError> {
        self.ensure_there()?;
        let mut stats = Stats::default();
        if let Some(directory) = self.unified() {
            read_v2(&directory, &mut stats);
        }
        self.read_v1(&mut stats);
        Ok(stats)
    }

    /// Reads everything this cgroup accounts for, pressure included.
    ///
    /// # Errors
    /// [`CgroupError::Unavailable`] when the cgroup is gone.
    pub fn detailed_stats(&self) -> Result<DetailedStats, CgroupError> {
        self.ensure_there()?;
        let mut stats = DetailedStats::default();
        if let Some(directory) = self.unified() {
            read::v2(&directory, &mut stats);
        }
        read::v1(self, &mut stats);
        Ok(stats)
    }

    fn ensure_there(&self) -> Result<(), CgroupError> {
        if self.tracking_directory().is_none() {
            let why = format!("there is no cgroup `{}`", self.path());
            return Err(CgroupError::Unavailable { what: "read figures", why });
        }
        Ok(())
    }

    fn read_v1(&self, stats: &mut Stats) {
        if let Some(directory) = self.v1("memory") {
            stats.memory_usage = number(&directory.join("memory.usage_in_bytes"));
            stats.memory_inactive_file = keyed(&directory.join("memory.stat"), "total_inactive_file");
            stats.memory_limit = limit(&directory.join("memory.limit_in_bytes"));
        }
        if let Some(directory) = self.v1("cpuacct") {
            stats.cpu_ns = number(&directory.join("cpuacct.usage"));
            stats.cpu_user_ns = keyed(&directory.join("cpuacct.stat"), "user").saturating_mul(TICK_NS);
            stats.cpu_system_ns = keyed(&directory.join("cpuacct.stat"), "system").saturating_mul(TICK_NS);
        }
        if let Some(directory) = self.v1("pids") {
            stats.pids = number(&directory.join("pids.current"));
            stats.pids_limit = limit(&directory.join("pids.max"));
        }
        if let Some(directory) = self.v1("blkio") {
            let text = text(&directory.join("blkio.throttle.io_service_bytes_recursive"));
            (stats.io_read_bytes, stats.io_write_bytes) = v1_io(&text);
        }
    }
}

fn read_v2(directory: &Path, stats: &mut Stats) {
    stats.memory_usage = number(&directory.join("memory.current"));
    stats.memory_inactive_file = keyed(&directory.join("memory.stat"), "inactive_file");
    stats.memory_limit = limit(&directory.join("memory.max"));
    let cpu = text(&directory.join("cpu.stat"));
    let nanoseconds = |key| keyed_value(&cpu, key).unwrap_or(0).saturating_mul(1_000);
    stats.cpu_ns = nanoseconds("usage_usec");
    stats.cpu_user_ns = nanoseconds("user_usec");
    stats.cpu_system_ns = nanoseconds("system_usec");
    stats.pids = number(&directory.join("pids.current"));
    stats.pids_limit = limit(&directory.join("pids.max"));
    (stats.io_read_bytes, stats.io_write_bytes) = v2_io(&text(&directory.join("io.stat")));
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn number(path: &Path) -> u64 {
    text(path).trim().parse().unwrap_or(0)
}

fn keyed(path: &Path, key: &str) -> u64 {
    keyed_value(&text(path), key).unwrap_or(0)
}

/// `max` on version 2; on version 1 the largest multiple of a page below 2⁶³ stands for "no limit".
fn limit(path: &Path) -> Option<u64> {
    text(path).trim().parse().ok().filter(|limit| *limit < 1 << 62)
}

/// `8:0 Read 4096` lines, one for each device and operation.
fn v1_io(text: &str) -> (u64, u64) {
    let sum = |operation: &str| {
        let fields = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        fields.filter_map(|f| (f.len() == 3 && f[1] == operation).then(|| f[2].parse().unwrap_or(0u64))).sum()
    };
    (sum("Read"), sum("Write"))
}

/// `8:0 rbytes=4096 wbytes=0 rios=1 …` lines, one for each device.
fn v2_io(text: &str) -> (u64, u64) {
    let sum = |key: &str| {
        let values = text.split_whitespace().filter_map(|word| word.strip_prefix(key)?.parse::<u64>().ok());
        values.sum()
    };
    (sum("rbytes="), sum("wbytes="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_summed_over_devices() {
        assert_eq!(v1_io("8:0 Read 10\n8:0 Write 5\n8:16 Read 1\nTotal 16\n"), (11, 5));
        assert_eq!(v2_io("8:0 rbytes=10 wbytes=5 rios=1\n8:16 rbytes=1 wbytes=0\n"), (11, 5));
    }

    #[test]
    fn the_highest_number_is_no_limit() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (text, expected) in [("9223372036854771712\n", None), ("max\n", None), ("1048576\n", Some(1 << 20))] {
            std::fs::write(file.path(), text).unwrap();
            assert_eq!(limit(file.path()), expected);
        }
    }
}
