//! What happens when files of a developer change.

use std::path::PathBuf;

use super::Hook;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchAction {
    /// Changed files are copied into the containers.
    Sync,
    /// The image is built and the containers are made anew.
    Rebuild,
    /// The containers are restarted.
    Restart,
    /// Copied, then restarted.
    SyncRestart,
    /// Copied, then a command runs in the containers.
    SyncExec,
}

impl WatchAction {
    /// Reads the word of the Compose Specification.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "sync" => Some(Self::Sync),
            "rebuild" => Some(Self::Rebuild),
            "restart" => Some(Self::Restart),
            "sync+restart" => Some(Self::SyncRestart),
            "sync+exec" => Some(Self::SyncExec),
            _ => None,
        }
    }

    /// Returns whether files are copied.
    pub fn syncs(self) -> bool {
        matches!(self, Self::Sync | Self::SyncRestart | Self::SyncExec)
    }
}

/// One entry of `develop.watch`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchRule {
    /// What is done.
    pub action: WatchAction,
    /// The absolute file or folder that is watched.
    pub path: PathBuf,
    /// Where it is in the containers.
    pub target: Option<String>,
    /// Patterns below `path` that are not watched.
    pub ignore: Vec<String>,
    /// Patterns below `path`, of which one has to fit; empty is everything.
    pub include: Vec<String>,
    /// Whether all of it is copied when watching begins.
    pub initial_sync: bool,
    /// The command of [`WatchAction::SyncExec`].
    pub exec: Option<Hook>,
}
