//! Why an operation on a container failed.

use std::io;
use std::path::{Path, PathBuf};

use super::Status;
use crate::cgroup::CgroupError;
use crate::hooks::HookError;
use crate::launch::LaunchError;

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
pub enum OciError {
    /// An id that cannot name a container.
    #[error("`{0}` is no container id: letters, digits, `_`, `+`, `-` and `.`, at most 1024 of them")]
    Id(String),
    /// The id is taken.
    #[error("container with id `{0}` exists already")]
    Exists(String),
    /// There is no such container.
    #[error("container `{0}` does not exist")]
    Missing(String),
    /// The container is not in a state in which this can be done.
    #[error("cannot {act} container `{id}`: it is {status}")]
    Status {
        /// What was to be done.
        act: &'static str,
        /// The container.
        id: String,
        /// What it is.
        status: Status,
    },
    /// A file the caller named cannot be understood.
    #[error("read `{path}`: {why}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and where.
        why: String,
    },
    /// Options that contradict each other or the configuration.
    #[error("{0}")]
    Options(String),
    /// A file could not be used.
    #[error("{act} `{path}`")]
    File {
        /// What was tried.
        act: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The process could not be made or started.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// The cgroup.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    /// A hook.
    #[error(transparent)]
    Hook(#[from] HookError),
}

impl OciError {
    pub(super) fn file(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { act, path, source }
    }

    /// Returns the code `run` and `exec` end with when the program is to blame: 126 or 127, as a shell has it.
    #[must_use]
    pub fn exit_code(&self) -> Option<i32> {
        match self {
            Self::Launch(error) if error.exit_code() != 125 => Some(error.exit_code()),
            _ => None,
        }
    }
}
