//! What has to change on the host, and why: a list of steps that needs no further thought.
//!
//! Runs in the command; pure and deterministic: the same project, images, host and options give the same plan. [`up`],
//! [`down`] and [`control`] decide; [`crate::apply`] does what the steps say.

pub mod control;
mod difference;
pub mod down;
mod objects;
mod planner;
mod record;
mod replicas;
mod steps;
pub mod up;
mod why;

pub use down::DownOptions;
pub use record::{PlanRecord, RecordError};
pub use steps::{Condition, ContainerRef, Op, Plan, Step, StepId};
pub use up::{PlanError, UpOptions};
pub use why::Why;

#[cfg(test)]
mod tests;
