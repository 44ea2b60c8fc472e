//! cgroup
use oci_spec::runtime::LinuxResources;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
/// cgroup
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cgroup {
    path: String,
}
/// error
#[derive(Debug, thiserror::Error)]
#[error("cgroup")]
pub enum CgroupError {}
/// stats
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Bytes charged, page cache included.
    pub memory_usage: u64,
    /// Bytes of file cache that can be reclaimed at once; `docker stats` subtracts them.
    pub memory_inactive_file: u64,
    /// Bytes; `None`: no limit.
    pub memory_limit: Option<u64>,
    /// Nanoseconds.
    pub cpu_ns: u64,
    /// Nanoseconds in user mode
    pub cpu_user_ns: u64,
    /// Nanoseconds in kernel mode
    pub cpu_system_ns: u64,
    /// Tasks
    pub pids: u64,
    /// Tasks; `None`: no limit.
    pub pids_limit: Option<u64>,
    /// Bytes
    pub io_read_bytes: u64,
    /// Bytes
    pub io_write_bytes: u64,
}
impl Cgroup {
    /// open
    pub fn open(path: &str) -> Result<Self, CgroupError> {
        let _ = path;
        todo!()
    }
    /// path
    pub fn path(&self) -> &str {
        &self.path
    }
    /// pids
    pub fn pids(&self) -> Result<Vec<i32>, CgroupError> {
        todo!()
    }
    /// kill
    pub fn kill_all(&self) -> Result<(), CgroupError> {
        todo!()
    }
    /// freeze
    pub fn freeze(&self) -> Result<(), CgroupError> {
        todo!()
    }
    /// thaw
    pub fn thaw(&self) -> Result<(), CgroupError> {
        todo!()
    }
    /// frozen?
    pub fn is_frozen(&self) -> Result<bool, CgroupError> {
        todo!()
    }
    /// count
    pub fn oom_kills(&self) -> Result<u64, CgroupError> {
        todo!()
    }
    /// Becomes readable when the OOM killer struck
    pub fn watch_oom(&self) -> Result<std::os::fd::OwnedFd, CgroupError> {
        todo!()
    }
    /// stats
    pub fn stats(&self) -> Result<Stats, CgroupError> {
        todo!()
    }
    /// delete
    pub fn delete(&self) -> Result<(), CgroupError> {
        todo!()
    }
    /// update; warnings
    pub fn update(&self, resources: &LinuxResources) -> Result<Vec<String>, CgroupError> {
        let _ = resources;
        todo!()
    }
    /// controller → directory
    pub fn files(&self) -> Vec<(String, PathBuf)> {
        todo!()
    }
}
