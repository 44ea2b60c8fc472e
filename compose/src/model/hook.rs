//! Commands at the turns of a container's life.

use std::collections::BTreeMap;

/// A command that is run in a running container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// `name|uid[:group|gid]`; [`None`] is the container's.
    pub user: Option<String>,
    /// Whether it has all capabilities.
    pub privileged: bool,
    /// The absolute folder in the container; [`None`] is the container's.
    pub working_dir: Option<String>,
    /// Added to the container's environment.
    pub environment: BTreeMap<String, String>,
}

/// `post_start` and `pre_stop` of a service, each in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hooks {
    /// Run once a container has started.
    pub post_start: Vec<Hook>,
    /// Run before a container is stopped.
    pub pre_stop: Vec<Hook>,
}
