//! What to build, and with what.
//!
//! Runs in the shell command's process.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::runner::RunOptions;
use crate::archive::LayoutImage;
use crate::platform::Platform;
use crate::pull::PullOptions;
use crate::reference::Reference;

/// What to build, and with what.
#[derive(Debug, Clone, Default)]
pub struct BuildRequest {
    /// What the Dockerfile is called in messages.
    pub file_name: String,
    /// Its text.
    pub dockerfile: String,
    /// The build context; `None` is an empty one.
    pub context: Option<PathBuf>,
    /// Text of the `.dockerignore` that counts.
    pub ignore: String,
    /// `--build-context`: further contexts by name.
    pub contexts: BTreeMap<String, NamedContext>,
    /// `--build-arg`.
    pub arguments: BTreeMap<String, String>,
    /// `--target`: a stage by name or number; `None` is the last.
    pub target: Option<String>,
    /// `--label`: they win over the file's.
    pub labels: BTreeMap<String, String>,
    /// The platform of the result; `None` is this host's.
    pub platform: Option<Platform>,
    /// Carry out every step anew.
    pub no_cache: bool,
    /// The stages to carry out anew, by name.
    pub no_cache_filter: Vec<String>,
    /// Ask registries even for images that are here.
    pub pull: bool,
    /// How to pull.
    pub pull_options: PullOptions,
    /// `--secret`, by id.
    pub secrets: BTreeMap<String, Secret>,
    /// `--ssh`: sockets of agents, by id.
    pub agents: BTreeMap<String, PathBuf>,
    /// What is allowed beyond a normal container.
    pub allowed: Allowed,
    /// What holds for every RUN.
    pub run: RunOptions,
    /// SOURCE_DATE_EPOCH: no time in the result is later, in seconds since 1970.
    pub latest_time: Option<i64>,
    /// `--cache-from`: what other builds have exported.
    pub cache_sources: Vec<CachePlace>,
    /// `--cache-to type=inline`: the image brings the records of its own steps.
    pub has_inline_cache: bool,
    /// `--annotation`: of the manifest.
    pub annotations: BTreeMap<String, String>,
}

/// Where a cache goes to, or comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CachePlace {
    /// A folder.
    Folder(PathBuf),
    /// An image of a registry: one that is nothing but the cache, or one that brings its own records.
    Image(Reference),
}

/// `mode` of `--cache-to`: which steps a cache has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheExtent {
    /// `max`: all of them.
    All,
    /// `min`: those whose layers the result has.
    Result,
}

/// How the layers that a build has made are kept as blobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerForm {
    /// Plain, at the cost of a copy: for an image that stays on this host.
    Plain,
    /// Compressed: for one that is carried away.
    Compressed,
}

/// A further build context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamedContext {
    /// A folder.
    Folder(PathBuf),
    /// An image, by reference.
    Image(String),
    /// An image of an image layout.
    Layout {
        /// The layout's folder.
        folder: PathBuf,
        /// Which of its images.
        image: LayoutImage,
    },
    /// An archive to download, or a git repository.
    Remote(String),
}

/// Where a secret is.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// In a file.
    File(PathBuf),
    /// Here.
    Value(Vec<u8>),
}

impl std::fmt::Debug for Secret {
    /// Shows no secret.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Secret")
    }
}

/// `--allow`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Allowed {
    /// `network.host`.
    pub host_network: bool,
    /// `security.insecure`.
    pub insecure: bool,
}
