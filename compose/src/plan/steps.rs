//! The steps of a plan and their text.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use lighter_engine::netns::NetworkSpec;
use lighter_engine::{ContainerSpec, VolumeSpec};
use serde::{Deserialize, Serialize};

use super::Why;
use crate::specify::ContentFile;

/// The place of a step in its plan, from 0.
pub type StepId = usize;

/// A container that is there, or that an earlier step makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerRef {
    /// Its name.
    pub name: String,
    /// Its id; [`None`] when an earlier step makes it.
    pub id: Option<String>,
}

impl ContainerRef {
    /// Returns the reference to a container that an earlier step makes.
    pub fn made(name: impl Into<String>) -> Self {
        Self { name: name.into(), id: None }
    }
}

/// What a wait waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// It runs.
    Running,
    /// Its health check succeeds.
    Healthy,
    /// It has ended with exit code 0.
    Completed,
}

/// One change to the host, or one wait, complete in itself: whoever applies it looks nothing up and chooses nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// Makes a network.
    CreateNetwork(NetworkSpec),
    /// Deletes a network.
    DeleteNetwork {
        /// Its name.
        name: String,
        /// Its id.
        id: String,
    },
    /// Makes a volume.
    CreateVolume(VolumeSpec),
    /// Deletes a volume with its content.
    DeleteVolume {
        /// Its name.
        name: String,
    },
    /// Writes the files with the content of configs and secrets.
    WriteFiles(Vec<ContentFile>),
    /// Deletes the folder with the content of the project's configs and secrets.
    DeleteFiles(PathBuf),
    /// Records a container.
    CreateContainer {
        /// What it shall be; anonymous volumes without a name get one.
        spec: Box<ContainerSpec>,
        /// The container whose network namespace it uses, by name, instead of `spec.network`.
        network_of: Option<String>,
    },
    /// Starts a container.
    Start(ContainerRef),
    /// Waits for a container. Holds no place among the steps that run at once.
    Wait {
        /// The container.
        container: ContainerRef,
        /// What to wait for.
        condition: Condition,
        /// Whether a failure is one of the whole plan, or only a warning.
        required: bool,
    },
    /// Stops a container.
    Stop {
        /// The container.
        container: ContainerRef,
        /// Time until SIGKILL; [`None`] is the container's own.
        grace: Option<Duration>,
    },
    /// Sends a signal.
    Kill {
        /// The container.
        container: ContainerRef,
        /// Its number.
        signal: i32,
    },
    /// Deletes a container.
    Delete {
        /// The container.
        container: ContainerRef,
        /// Whether its anonymous volumes go with it.
        volumes: bool,
    },
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// What to do.
    pub op: Op,
    /// Why.
    pub why: Why,
    /// The steps before it.
    pub after: Vec<StepId>,
}

/// The steps in an order in which each comes after those it needs, and what the user should know.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The steps.
    pub steps: Vec<Step>,
    /// One sentence each.
    pub warnings: Vec<String>,
}

impl Plan {
    /// Returns whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Returns whether a container is deleted by the end.
    pub(crate) fn deletes(&self, container: &ContainerRef) -> bool {
        self.steps.iter().any(|step| matches!(&step.op, Op::Delete { container: deleted, .. } if deleted == container))
    }

    /// Adds a step and returns its place.
    pub(super) fn push(&mut self, op: Op, why: Why, mut after: Vec<StepId>) -> StepId {
        after.sort_unstable();
        after.dedup();
        self.steps.push(Step { op, why, after });
        self.steps.len() - 1
    }
}

/// `delete web-1`, as the text of a plan and the progress have it.
impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateNetwork(spec) => write!(f, "create network {}", spec.name),
            Self::DeleteNetwork { name, .. } => write!(f, "delete network {name}"),
            Self::CreateVolume(spec) => write!(f, "create volume {}", spec.name),
            Self::DeleteVolume { name } => write!(f, "delete volume {name}"),
            Self::WriteFiles(files) => {
                let targets: Vec<_> = files.iter().map(|file| file.target.as_str()).collect();
                write!(f, "write {}", targets.join(", "))
            }
            Self::DeleteFiles(_) => f.write_str("delete the content of configs and secrets"),
            Self::CreateContainer { spec, .. } => write!(f, "create {}", spec.name),
            Self::Start(container) => write!(f, "start {}", container.name),
            Self::Wait { container, condition: Condition::Running, .. } => {
                write!(f, "wait until {} runs", container.name)
            }
            Self::Wait { container, condition: Condition::Healthy, .. } => {
                write!(f, "wait until {} is healthy", container.name)
            }
            Self::Wait { container, condition: Condition::Completed, .. } => {
                write!(f, "wait until {} has ended well", container.name)
            }
            Self::Stop { container, .. } => write!(f, "stop {}", container.name),
            Self::Kill { container, signal } => write!(f, "send signal {signal} to {}", container.name),
            Self::Delete { container, .. } => write!(f, "delete {}", container.name),
        }
    }
}

/// One line a step: `#3 stop web-1: environment.LEVEL `low` → `high` [after #2]`.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for warning in &self.warnings {
            writeln!(f, "warning: {warning}")?;
        }
        for (index, step) in self.steps.iter().enumerate() {
            write!(f, "#{} {}: {}", index + 1, step.op, step.why)?;
            if !step.after.is_empty() {
                let after: Vec<_> = step.after.iter().map(|id| format!("#{}", id + 1)).collect();
                write!(f, " [after {}]", after.join(", "))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
