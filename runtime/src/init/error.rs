//! Why init could not go on.

use std::fmt;
use std::path::Path;

use nix::errno::Errno;

use super::channel::{Failure, FailureKind};

/// A failed act: what, on what, and the cause when it is the kernel's.
#[derive(Debug)]
pub(super) struct InitError {
    pub(super) kind: FailureKind,
    pub(super) act: String,
    pub(super) errno: Option<Errno>,
}

impl InitError {
    /// An act the kernel refused.
    pub(super) fn new(act: impl Into<String>, errno: Errno) -> Self {
        Self { kind: FailureKind::Setup, act: act.into(), errno: Some(errno) }
    }

    /// Something this program refuses.
    pub(super) fn refused(what: impl Into<String>) -> Self {
        Self { kind: FailureKind::Setup, act: what.into(), errno: None }
    }

    /// Turns the error into what goes up the channel.
    pub(super) fn into_failure(self, step: &'static str) -> Failure {
        Failure { kind: self.kind, step: step.to_owned(), act: self.act, errno: self.errno.map(|errno| errno as i32) }
    }
}

impl fmt::Display for InitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.errno {
            Some(errno) => write!(f, "{}: {errno}", self.act),
            None => f.write_str(&self.act),
        }
    }
}

/// Names the act and the path when a call fails.
pub(super) trait Act<T> {
    /// `act` is a verb in its first form: "open", "mount `proc` on".
    fn act_on(self, act: &str, path: &Path) -> Result<T, InitError>;

    /// `act` says all.
    fn act(self, act: &str) -> Result<T, InitError>;
}

impl<T> Act<T> for nix::Result<T> {
    fn act_on(self, act: &str, path: &Path) -> Result<T, InitError> {
        self.map_err(|errno| InitError::new(format!("{act} `{}`", path.display()), errno))
    }

    fn act(self, act: &str) -> Result<T, InitError> {
        self.map_err(|errno| InitError::new(act, errno))
    }
}

impl<T> Act<T> for std::io::Result<T> {
    fn act_on(self, act: &str, path: &Path) -> Result<T, InitError> {
        self.map_err(errno).act_on(act, path)
    }

    fn act(self, act: &str) -> Result<T, InitError> {
        self.map_err(errno).act(act)
    }
}

fn errno(error: std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}
