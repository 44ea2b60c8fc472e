//! Doing what a plan says.
//!
//! Runs in the command; decides nothing. Steps that do not wait for each other run at once, on threads, up to a limit;
//! waits and stops hold no place among them. When a step fails no further step begins, those that run are let finish, and the first
//! failure is the result.

mod content;
mod execute;
mod schedule;
mod turn;
mod wait;

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use lighter_engine::{Engine, FileError, Holder};

use crate::plan::{Plan, Step, StepId};

pub use execute::{StepError, name_by_id};
pub use turn::Turn;
pub use wait::WaitError;

/// How a plan is applied.
#[derive(Debug, Clone, Copy)]
pub struct ApplyOptions<'a> {
    /// `COMPOSE_PARALLEL_LIMIT`: how many steps run at once; 0 is no limit.
    pub parallel: usize,
    /// Set by whoever hears Ctrl-C: no further step begins, and waits end.
    pub interrupted: &'a AtomicBool,
    /// The turn on the project, taken for what changes something; [`None`] asks nobody.
    pub turn: Option<&'a Turn>,
    /// When nothing is waited for any longer; [`None`] is never.
    pub deadline: Option<Instant>,
}

/// Steps that run at once unless the user says otherwise: starting a container is mostly waiting for the kernel, and more
/// only make each other slower (measured with 4 workers on 2 processors).
pub const DEFAULT_PARALLEL: usize = 4;

/// What happens while a plan is applied.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// A step begins.
    Began {
        /// Its place in the plan.
        id: StepId,
        /// The step.
        step: &'a Step,
    },
    /// A step is done.
    Done {
        /// Its place in the plan.
        id: StepId,
        /// The step.
        step: &'a Step,
    },
    /// A step has ended without effect, and the plan goes on: a network that others are on, a wait for what need not come.
    Passed {
        /// Its place in the plan.
        id: StepId,
        /// The step.
        step: &'a Step,
        /// Why, a sentence.
        why: &'a str,
    },
    /// A step has failed; the error is the result of [`apply`].
    Failed {
        /// Its place in the plan.
        id: StepId,
        /// The step.
        step: &'a Step,
        /// Why.
        error: &'a StepError,
    },
    /// Something could not be had in full.
    Warning(&'a str),
    /// Another command changes the project: it goes first. Who, if it can be told.
    Queued(Option<&'a Holder>),
}

/// Receives the events; called from any thread.
pub trait Progress: Sync {
    /// Takes one event.
    fn report(&self, event: Event<'_>);
}

/// Ignores every event.
pub struct Silent;

impl Progress for Silent {
    fn report(&self, _event: Event<'_>) {}
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How many steps were done.
    pub done: usize,
    /// What could not be had in full, one sentence each; all have been reported as events.
    pub warnings: Vec<String>,
}

/// Why a plan was not applied in full.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// A step failed.
    #[error("{act}")]
    Step {
        /// What it was to do: `create web-1`.
        act: String,
        /// Why it failed.
        #[source]
        source: Box<StepError>,
    },
    /// The user does not want to go on.
    #[error("interrupted")]
    Interrupted,
    /// What was waited for did not come in time.
    #[error("not ready in time: gave up {}", waits.join(", "))]
    TimedOut {
        /// `waiting until web-1 is healthy`, one for each wait.
        waits: Vec<String>,
    },
    /// Nobody can tell whose turn it is.
    #[error(transparent)]
    Turn(#[from] FileError),
}

/// Applies a plan.
///
/// # Errors
/// The first step that failed; what was done until then stays.
pub fn apply(
    plan: &Plan,
    engine: &Engine,
    options: ApplyOptions<'_>,
    progress: &dyn Progress,
) -> Result<Outcome, ApplyError> {
    plan.warnings.iter().for_each(|warning| progress.report(Event::Warning(warning)));
    let execute = |step: &Step, cancelled: &AtomicBool| execute::execute(step, plan, engine, cancelled);
    let mut outcome = schedule::run(plan, options, progress, &execute)?;
    outcome.warnings.splice(0..0, plan.warnings.iter().cloned());
    Ok(outcome)
}
