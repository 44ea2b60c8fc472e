//! Health checks as the OCI-adjacent Docker image format and Compose define them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Time between two probes when none is set: 30 s, Dockerfile reference, HEALTHCHECK.
pub const DEFAULT_PROBE_INTERVAL: Duration = Duration::from_secs(30);
/// Time after which a probe counts as failed: 30 s, Dockerfile reference, HEALTHCHECK.
pub const DEFAULT_PROBE_TIMEOUT: Duration = Duration::from_secs(30);
/// Failures in a row until a container is unhealthy: 3, Dockerfile reference, HEALTHCHECK.
pub const DEFAULT_PROBE_RETRIES: u32 = 3;

/// The command of a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Probe {
    /// Executed as it is (`CMD`).
    Exec(Vec<String>),
    /// Given to the container's `/bin/sh -c` (`CMD-SHELL`).
    Shell(String),
}

impl Probe {
    /// Returns the argument vector to execute.
    pub fn args(&self) -> Vec<String> {
        match self {
            Self::Exec(args) => args.clone(),
            Self::Shell(line) => vec!["/bin/sh".to_owned(), "-c".to_owned(), line.clone()],
        }
    }
}

/// When and how the monitor asks a container whether it is well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// What is run.
    pub probe: Probe,
    /// Pause between the end of one probe and the start of the next.
    pub interval: Duration,
    /// A probe that takes longer is killed and counts as failed.
    pub timeout: Duration,
    /// Failures in a row until the container is unhealthy; at least 1.
    pub retries: u32,
    /// Failures within this time after the start do not count.
    pub start_period: Duration,
    /// Pause between probes during the start period; `None` = `interval`, but never more than 5 s.
    pub start_interval: Option<Duration>,
}

impl HealthCheck {
    /// Returns a check with the defaults of the Dockerfile reference.
    pub fn new(probe: Probe) -> Self {
        Self {
            probe,
            interval: DEFAULT_PROBE_INTERVAL,
            timeout: DEFAULT_PROBE_TIMEOUT,
            retries: DEFAULT_PROBE_RETRIES,
            start_period: Duration::ZERO,
            start_interval: None,
        }
    }
}
