//! When a container is healthy.

use std::time::Duration;

/// What a health check runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// What the image says; only the numbers of this check are changed.
    Inherit,
    /// Nothing, whatever the image says.
    Disabled,
    /// A program with its arguments; at least one word.
    Exec(Vec<String>),
    /// A line for the shell of the image.
    Shell(String),
}

/// `healthcheck`; what is [`None`] comes from the image, then from the defaults (30 s, 30 s, 3, 0 s, 5 s:
/// Compose Specification, 05-services).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Healthcheck {
    /// What to run.
    pub probe: Probe,
    /// Time from the end of one probe to the next.
    pub interval: Option<Duration>,
    /// Time after which a probe is killed and counts as failed.
    pub timeout: Option<Duration>,
    /// Failures in a row that make a container unhealthy.
    pub retries: Option<u32>,
    /// Time after the start in which failures do not count.
    pub start_period: Option<Duration>,
    /// The interval within the start period.
    pub start_interval: Option<Duration>,
}
