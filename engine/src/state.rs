//! What a container is doing: the record on disk and its correction against the kernel.
//!
//! ```text
//! created ──start──▶ running ──ends──▶ exited ──start──▶ running
//!                      │  ▲
//!                ends, │  │ back-off over
//!              policy  ▼  │
//!                   restarting
//! ```
//! The monitor is the only writer while it lives; a command writes only when there is none, under the container's lock.

use std::path::Path;

use jiff::Timestamp;
use lighter_netns::{BoundPort, Endpoint};
use lighter_runtime::process::{self, ProcessRef};
use serde::{Deserialize, Serialize};

use crate::durable::{self, FileError};

/// Exit code of a container whose real one nobody could learn (power loss, monitor killed on an old kernel).
pub const EXIT_CODE_UNKNOWN: i32 = 255;

/// Version of the state files; a file with a higher one is refused.
pub(crate) const STATE_VERSION: u32 = 1;

/// Where a container stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Made, never started.
    #[default]
    Created,
    /// Its init lives.
    Running,
    /// Its processes are frozen.
    Paused,
    /// It ended and waits for its next start.
    Restarting,
    /// It ended.
    Exited,
}

impl Status {
    /// Returns Docker's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Exited => "exited",
        }
    }

    /// Returns whether the container has, or is about to have, processes.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Running | Self::Paused | Self::Restarting)
    }
}

/// A process by pid and start time, so that a reused pid is never taken for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Process id in the host's pid namespace.
    pub pid: i32,
    /// Field 22 of /proc/PID/stat, in clock ticks since boot.
    pub start_time: u64,
}

impl Process {
    /// Returns this process.
    pub(crate) fn current() -> std::io::Result<Self> {
        let pid = i32::try_from(std::process::id()).expect("a pid fits pid_t");
        Ok(Self { pid, start_time: process::start_time(pid)? })
    }

    /// Returns the runtime's form.
    pub fn reference(self) -> ProcessRef {
        ProcessRef { pid: self.pid, start_time: self.start_time }
    }

    /// Returns whether exactly this process still lives.
    pub fn is_alive(self) -> bool {
        self.reference().is_alive()
    }
}

/// The record `state.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Version of this format.
    pub version: u32,
    /// Where the container stands.
    pub status: Status,
    /// Boot during which this was written: processes of another boot are gone.
    pub boot_id: String,
    /// The container's init.
    pub init: Option<Process>,
    /// The process that looks after it.
    pub monitor: Option<Process>,
    /// Path of its cgroup below the hierarchies' roots.
    pub cgroup: Option<String>,
    /// How it last ended: exit code, or 128 + signal.
    pub exit_code: Option<i32>,
    /// The kernel killed it for want of memory.
    pub oom_killed: bool,
    /// The host went down while it ran, and it has not been started since.
    pub cut_off: bool,
    /// Why it could not start.
    pub error: Option<String>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// When it last started.
    pub started_at: Option<Timestamp>,
    /// When it last ended.
    pub finished_at: Option<Timestamp>,
    /// Starts by the restart policy since the last start by the user.
    pub restart_count: u32,
    /// Its plugs, while it runs.
    pub endpoints: Vec<Endpoint>,
    /// Its published ports, while it runs.
    pub ports: Vec<BoundPort>,
}

impl State {
    /// Reads the record at `path`; `None` if there is none.
    ///
    /// One that ends too early, or is none, was being written when the power failed, as what happens from moment to moment is not
    /// flushed: then the container ran, and nobody knows more.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, FileError> {
        match durable::read_json(path) {
            Err(FileError::Damaged { source, .. }) if source.is_eof() || source.is_syntax() => Ok(Some(Self {
                version: STATE_VERSION,
                status: Status::Running,
                started_at: Some(Timestamp::UNIX_EPOCH),
                ..Self::default()
            })),
            read => read,
        }
    }

    /// Returns the state of a container that was just made.
    pub(crate) fn created(now: Timestamp) -> Self {
        Self { version: STATE_VERSION, created_at: Some(now), ..Self::default() }
    }

    /// Returns whether this was written since the host has booted.
    pub(crate) fn is_of_this_boot(&self) -> bool {
        process::boot_id().is_ok_and(|boot| boot == self.boot_id)
    }

    /// Returns whether the monitor that wrote this still lives.
    pub fn has_monitor(&self) -> bool {
        self.monitor.is_some_and(Process::is_alive)
    }

    /// Returns whether the init that was recorded still lives.
    pub fn has_init(&self) -> bool {
        self.init.is_some_and(Process::is_alive)
    }

    /// Corrects what the record says by what the kernel says, without touching the disk.
    ///
    /// A container with neither init nor monitor has ended, whatever was written.
    pub(crate) fn corrected(mut self) -> Self {
        if self.status.is_active() && !self.has_init() && !self.has_monitor() {
            self.status = Status::Exited;
            self.exit_code = self.exit_code.or(Some(EXIT_CODE_UNKNOWN));
            self.end();
        }
        self
    }

    /// Forgets everything that belongs to a living container.
    pub(crate) fn end(&mut self) {
        self.init = None;
        self.monitor = None;
        self.endpoints.clear();
        self.ports.clear();
    }
}

/// How well a container is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// No verdict yet.
    #[default]
    Starting,
    /// The last probe succeeded.
    Healthy,
    /// `retries` probes in a row failed.
    Unhealthy,
}

impl HealthStatus {
    /// Returns Docker's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// The record `health.json`, rewritten after every probe.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The verdict.
    pub status: HealthStatus,
    /// Failures in a row.
    pub failing_streak: u32,
    /// The last five probes, oldest first.
    pub log: Vec<ProbeResult>,
}

/// One finished probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeResult {
    /// When it began.
    pub start: Timestamp,
    /// When it ended.
    pub end: Timestamp,
    /// Its exit code; -1 = it timed out or could not start.
    pub exit_code: i32,
    /// The first 4096 bytes of its output.
    pub output: String,
}
