//! The state between two instructions: a configuration and the layers below it.
//!
//! Runs in the shell command's process.

use std::path::PathBuf;

use super::config::Config;
use super::key;
use super::scope::Scope;
use crate::digest::Digest;

/// A layer that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LayerRef {
    pub(crate) diff_id: Digest,
    /// Its files.
    pub(crate) directory: PathBuf,
    /// Whether its root has attributes of its own.
    pub(crate) describes_root: bool,
    /// Its blob as the base's manifest has it; `None` for one that the build has made.
    pub(crate) blob: Option<BlobRef>,
}

/// A blob that holds a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BlobRef {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    pub(crate) media_type: String,
}

/// What an instruction finds.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) config: Config,
    /// Bottom first.
    pub(crate) layers: Vec<LayerRef>,
    /// The ARGs of the stage, which a stage that starts from it sees too.
    pub(crate) scope: Scope,
}

impl State {
    pub(crate) fn new(config: Config, layers: Vec<LayerRef>) -> State {
        State { config, layers, scope: Scope::default() }
    }

    /// Returns the layers' directories, topmost first.
    pub(crate) fn lowers(&self) -> Vec<PathBuf> {
        self.layers.iter().rev().map(|layer| layer.directory.clone()).collect()
    }

    /// Returns the directory whose attributes the root has.
    pub(crate) fn root(&self) -> Option<PathBuf> {
        self.layers.iter().rev().find(|layer| layer.describes_root).map(|layer| layer.directory.clone())
    }

    /// Returns what stands for the files in keys; empty for none.
    pub(crate) fn chain(&self) -> String {
        key::chain(self.layers.iter().map(|layer| &layer.diff_id)).map_or_else(String::new, |chain| chain.to_string())
    }

    /// Returns the value of a variable: the environment's, else an argument's.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        self.config.variable(name).or_else(|| self.scope.value(name))
    }
}
