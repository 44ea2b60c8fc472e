//! Waiting until a container runs, is healthy, or has done its work.
//!
//! A wait fails at once when what it waits for cannot come any more, with what the container said last.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lighter_engine::{Container, Engine, FileError, Health, HealthStatus, LogQuery, Status};

use super::StepError;
use crate::plan::Condition;

/// How soon the end of the plan is seen while nothing changes; also what a change that was missed costs at most.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Lines of its log that a failed container is quoted with.
const LAST_LINES: usize = 10;

/// Why a wait cannot succeed.
#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    /// It was deleted.
    #[error("container `{0}` is gone")]
    Gone(String),
    /// It is waited for to be healthy, and nobody checks it.
    #[error("container `{0}` has no health check: nothing can say that it is healthy")]
    Unchecked(String),
    /// Its checks failed too often.
    #[error("container `{name}` is unhealthy: {probe}{}", quoted(log))]
    Unhealthy {
        /// The container.
        name: String,
        /// How the last check ended, and its output.
        probe: String,
        /// The last lines of its log; may be empty.
        log: String,
    },
    /// It has ended.
    #[error("container `{name}` has ended with exit code {exit_code}{cause}{}", quoted(log))]
    Ended {
        /// The container.
        name: String,
        /// How it ended.
        exit_code: i32,
        /// ` (out of memory…)`, or nothing.
        cause: String,
        /// The last lines of its log; may be empty.
        log: String,
    },
    /// It never starts.
    #[error("container `{0}` is not started")]
    NotStarted(String),
    /// Changes cannot be watched.
    #[error("watch container `{name}`")]
    Watch {
        /// The container.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Its record cannot be read.
    #[error(transparent)]
    Record(#[from] FileError),
}

fn quoted(log: &str) -> String {
    if log.is_empty() { String::new() } else { format!("; its last lines:\n{log}") }
}

/// Waits for `condition`.
pub(super) fn wait(
    container: &Container,
    condition: Condition,
    engine: &Engine,
    cancelled: &AtomicBool,
) -> Result<(), StepError> {
    let name = &container.spec.name;
    let broken = |source| WaitError::Watch { name: name.clone(), source };
    loop {
        // Watched before it is looked at, so that no change falls between the two. The watch is new each time because
        // the run directory comes and goes with each start.
        let mut watch = engine.watch(container).map_err(broken)?;
        let now = engine.load(&container.id).map_err(WaitError::from)?;
        let now = now.ok_or_else(|| WaitError::Gone(name.clone()))?;
        if verdict(&now, condition).map_err(|error| with_log(error, &now, engine))? {
            return Ok(());
        }
        if cancelled.load(Ordering::Relaxed) {
            return Err(StepError::Cancelled);
        }
        watch.wait(Some(LOOK_EVERY)).map_err(broken)?;
    }
}

/// Returns whether the condition holds; an error when it never will.
fn verdict(container: &Container, condition: Condition) -> Result<bool, WaitError> {
    let name = || container.spec.name.clone();
    let status = container.state.status;
    let ended = || {
        let exit_code = container.state.exit_code.unwrap_or(lighter_engine::EXIT_CODE_UNKNOWN);
        WaitError::Ended { name: name(), exit_code, cause: cause(container), log: String::new() }
    };
    match (condition, status) {
        (_, Status::Created) => Err(WaitError::NotStarted(name())),
        (Condition::Completed, Status::Exited) if container.state.exit_code == Some(0) => Ok(true),
        (_, Status::Exited) => Err(ended()),
        (Condition::Completed, _) => Ok(false),
        (_, Status::Restarting) => Ok(false),
        (Condition::Running, _) => Ok(true),
        (Condition::Healthy, _) => match &container.health {
            None => Err(WaitError::Unchecked(name())),
            Some(health) => healthy(health, name),
        },
    }
}

fn healthy(health: &Health, name: impl Fn() -> String) -> Result<bool, WaitError> {
    match health.status {
        HealthStatus::Healthy => Ok(true),
        HealthStatus::Starting => Ok(false),
        HealthStatus::Unhealthy => {
            let probe = health.log.last().map_or("no check has ended".to_owned(), |last| match last.exit_code {
                -1 => format!("the last check did not end in time{}", output(&last.output)),
                code => format!("the last check ended with exit code {code}{}", output(&last.output)),
            });
            Err(WaitError::Unhealthy { name: name(), probe, log: String::new() })
        }
    }
}

/// Returns what a check has said, after what it is about; nothing if it has said nothing.
fn output(text: &str) -> String {
    if text.trim().is_empty() { String::new() } else { format!(": {}", text.trim()) }
}

/// Says so when the kernel ended it for want of memory.
fn cause(container: &Container) -> String {
    container.out_of_memory().map(|text| format!(" ({text})")).unwrap_or_default()
}

/// Adds the last lines of this run's log to the error of a container that has ended or is ill.
fn with_log(mut error: WaitError, container: &Container, engine: &Engine) -> WaitError {
    if let WaitError::Ended { log, .. } | WaitError::Unhealthy { log, .. } = &mut error {
        let query = LogQuery { tail: Some(LAST_LINES), since: container.state.started_at, ..LogQuery::default() };
        // The log only helps to understand; without it the error is still the error.
        let entries = engine.logs(container, query).into_iter().flatten();
        let text: String = entries.map_while(Result::ok).map(|entry| entry.text().into_owned()).collect();
        *log = text.trim_end().to_owned();
    }
    error
}
