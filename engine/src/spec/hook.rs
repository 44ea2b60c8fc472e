//! Commands at the turns of a container's life: Compose Specification, 05-services, `post_start` and `pre_stop`.

use serde::{Deserialize, Serialize};

/// A command that is run in a running container, beside its own process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// The program and its arguments; not empty.
    pub args: Vec<String>,
    /// `NAME=value` pairs added to the container's.
    #[serde(default)]
    pub env: Vec<String>,
    /// `user[:group]`; `None` = the container's.
    #[serde(default)]
    pub user: Option<String>,
    /// Absolute path inside; `None` = the container's.
    #[serde(default)]
    pub working_dir: Option<String>,
    /// All capabilities.
    #[serde(default)]
    pub privileged: bool,
}

/// The commands for each turn, in their order; the first that fails is the last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hooks {
    /// Run once the container's process has started, at each start; the start is over when they are.
    #[serde(default)]
    pub post_start: Vec<Hook>,
    /// Run before the stop signal of a user's stop, not when the container ends by itself or is killed.
    #[serde(default)]
    pub pre_stop: Vec<Hook>,
}
