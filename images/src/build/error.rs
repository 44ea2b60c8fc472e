//! Why an image could not be built.
//!
//! Runs in the shell command's process.

use std::error::Error;
use std::io;

use super::fault::{Fault, Problem};
use super::owner::OwnerError;
use super::runner::StepProcess;
use crate::archive::ArchiveError;
use crate::derive::DeriveError;
use crate::layer::DiffError;
use crate::manifest::ManifestError;
use crate::pull::PullError;
use crate::store::StoreError;

/// Why an image could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The Dockerfile has a mistake.
    #[error("{file}: {fault}")]
    Fault {
        /// Name of the Dockerfile.
        file: String,
        /// The mistake.
        fault: Box<Fault>,
    },
    /// An instruction could not be carried out.
    #[error("{place}: {step}")]
    Step {
        /// `Dockerfile:7`.
        place: String,
        /// The instruction.
        step: String,
        /// Why.
        #[source]
        source: Box<StepError>,
    },
    /// The command of a RUN has failed.
    #[error("{}: process `{}` did not complete successfully: exit code: {}", .0.place, .0.command, .0.exit_code)]
    Failed(Box<FailedRun>),
    /// The user has given up.
    #[error("the build was cancelled")]
    Cancelled,
    /// What came out could not be kept.
    #[error(transparent)]
    Publish(Box<StepError>),
}

/// The command of a RUN that has failed.
#[derive(Debug)]
pub struct FailedRun {
    /// `Dockerfile:7`.
    pub place: String,
    /// The instruction.
    pub step: String,
    /// What was executed.
    pub command: String,
    /// What it returned.
    pub exit_code: i32,
    /// The end of what it wrote.
    pub output: Vec<u8>,
    /// The state in which it was executed.
    pub process: StepProcess,
}

/// Why a step could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// What the instruction says makes no sense.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// Nothing has the name.
    #[error("`{path}` is not in {place}")]
    NoSource {
        /// What was asked for.
        path: String,
        /// Where.
        place: String,
    },
    /// The file system refused.
    #[error("{act}")]
    Io {
        /// What was tried.
        act: String,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The container could not be run.
    #[error("run the command")]
    Runner(#[source] Box<dyn Error + Send + Sync>),
    /// A feature that there is not, or an argument that is wrong.
    #[error("{0}")]
    Refused(String),
    /// The base image could not be pulled.
    #[error(transparent)]
    Pull(#[from] PullError),
    /// An image layout could not be read.
    #[error("read image layout `{folder}`")]
    Layout {
        /// Its folder.
        folder: String,
        /// Why.
        #[source]
        source: Box<ArchiveError>,
    },
    /// The layer could not be read.
    #[error(transparent)]
    Diff(#[from] DiffError),
    /// The layer could not be written.
    #[error(transparent)]
    Derive(#[from] DeriveError),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was put together is no image.
    #[error("put the image together")]
    Manifest(#[from] ManifestError),
}

impl StepError {
    /// Says what was tried when the file system refused.
    pub(crate) fn io(act: impl Into<String>) -> impl FnOnce(io::Error) -> StepError {
        let act = act.into();
        move |source| StepError::Io { act, source }
    }
}

impl From<StepError> for BuildError {
    fn from(error: StepError) -> BuildError {
        BuildError::Publish(Box::new(error))
    }
}

impl From<OwnerError> for StepError {
    fn from(error: OwnerError) -> StepError {
        StepError::Refused(error.to_string())
    }
}

impl From<super::PatternError> for StepError {
    fn from(error: super::PatternError) -> StepError {
        StepError::Refused(error.to_string())
    }
}

impl From<super::ExpandError> for StepError {
    fn from(error: super::ExpandError) -> StepError {
        StepError::Problem(error.into())
    }
}
