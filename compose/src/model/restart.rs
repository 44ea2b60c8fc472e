//! What happens when a container ends.

/// `restart`, or `deploy.restart_policy`, which wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RestartPolicy {
    /// It stays ended.
    #[default]
    No,
    /// It is started again, also at boot.
    Always,
    /// It is started again unless its exit code was 0, this many times; [`None`] is without end.
    OnFailure(Option<u32>),
    /// As [`RestartPolicy::Always`], but not at boot after a stop by hand.
    UnlessStopped,
}
