//! Why a process of a container could not be made or started.

use std::io;

use nix::errno::Errno;

use crate::cgroup::CgroupError;
use crate::hooks::HookError;
use crate::init::{Failure, FailureKind};
use crate::plan::PlanError;
use crate::process::Exit;

/// Exit code for "the container could not be run" (docker run, "Exit status").
const NOT_RUN: i32 = 125;
/// Exit code for "its program cannot be invoked".
const NOT_INVOCABLE: i32 = 126;
/// Exit code for "its program was not found".
const NOT_FOUND: i32 = 127;

/// Why a container, or another process in one, does not run.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The spec.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The cgroup.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    /// The program would enter a container from a file that a container could overwrite.
    #[error("enter a container: this program does not run from a sealed copy of itself")]
    NotSealed,
    /// A namespace to join.
    #[error("join the {kind} namespace `{path}`")]
    Namespace {
        /// Its kind, as in `/proc/PID/ns`.
        kind: &'static str,
        /// The file that names it.
        path: String,
        /// Why not; EINVAL: it is of another kind.
        #[source]
        source: io::Error,
    },
    /// The clone.
    #[error("clone a process")]
    Clone {
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Something that has to be there before the clone, or to be given to the new process.
    #[error("{act}")]
    Prepare {
        /// What, on what; names the field of the spec that asked for it.
        act: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The report of the new process could not be read.
    #[error("hear from the new process")]
    Channel {
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The new process ended without a report.
    #[error("the new process ended before it was set up: {exit}")]
    Died {
        /// How it ended.
        exit: Exit,
    },
    /// A hook.
    #[error(transparent)]
    Hook(#[from] HookError),
    /// The container whose process this should be does not run.
    #[error("the container does not run: its process {pid} is gone")]
    Gone {
        /// The pid of its init.
        pid: i32,
    },
    /// The new process could not be set up, or become the program.
    #[error("{act}")]
    Init {
        /// What it means to a shell.
        code: i32,
        /// The step of the new process.
        step: String,
        /// What it did on what.
        act: String,
        /// The cause, when the kernel gave one.
        #[source]
        source: Option<io::Error>,
    },
}

impl LaunchError {
    /// Returns the code `run` and `exec` end with: 127 when the program was not found, 126 when it cannot
    /// be invoked, 125 for everything else.
    #[must_use]
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::Init { code, .. } => *code,
            _ => NOT_RUN,
        }
    }

    pub(crate) fn clone(source: io::Error) -> Self {
        Self::Clone { source }
    }

    pub(crate) fn prepare(act: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Prepare { act: act.into(), source: source.into() }
    }

    /// An error of the clone; EAGAIN is also said of a caller with threads, which is a fault of ours.
    pub(crate) fn from_clone(errno: Errno) -> Self {
        match crate::sys::process::thread_count() {
            Ok(count) if count > 1 => {
                Self::Clone { source: io::Error::other(format!("this process has {count} threads, not one")) }
            }
            _ => Self::Clone { source: errno.into() },
        }
    }

    pub(crate) fn from_failure(failure: Failure) -> Self {
        let code = match failure.kind {
            FailureKind::Setup => NOT_RUN,
            FailureKind::NotInvocable => NOT_INVOCABLE,
            FailureKind::NotFound => NOT_FOUND,
        };
        let source = failure.errno.map(io::Error::from_raw_os_error);
        Self::Init { code, step: failure.step, act: failure.act, source }
    }
}
