//! What a build tells whoever watches it.
//!
//! Runs in the shell command's process. Events come from several threads at once, so a [`BuildProgress`] is `Sync` and must
//! not block for long.

use std::time::Duration;

/// Receives the events of a build.
pub trait BuildProgress: Sync {
    /// Takes one event; called from any thread.
    fn report(&self, event: BuildEvent<'_>);
}

/// One thing that happened. A step keeps its number from its beginning to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildEvent<'a> {
    /// A step has begun; `name` is like `[build 2/5] RUN make`.
    Begun {
        /// The step.
        step: usize,
        /// What it is called.
        name: &'a str,
    },
    /// A step has written to its output or error output.
    Output {
        /// The step.
        step: usize,
        /// What it has written.
        bytes: &'a [u8],
    },
    /// A step is done.
    Done {
        /// The step.
        step: usize,
        /// Whether nothing had to be done, because the cache had the result.
        is_cached: bool,
        /// How long it took.
        took: Duration,
    },
    /// A step has failed; the build's error says why.
    Failed {
        /// The step.
        step: usize,
    },
    /// Something the user should know.
    Warning {
        /// One sentence.
        text: &'a str,
    },
}

/// Ignores every event.
pub struct Silent;

impl BuildProgress for Silent {
    fn report(&self, _event: BuildEvent<'_>) {}
}
