//! The whole of a Compose project.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{FileObject, Network, Service, Volume};
use crate::diagnostic::{Diagnostic, Span};
use crate::source::Environment;
use crate::yaml::Node;

/// A loaded project: services of the active profiles, and what they use.
#[derive(Debug, Clone)]
pub struct Project {
    /// The name, `[a-z0-9][a-z0-9_-]*`.
    pub name: String,
    /// The absolute base of relative paths.
    pub working_directory: PathBuf,
    /// The absolute compose files, in the order of merging.
    pub files: Vec<PathBuf>,
    /// The absolute `--env-file`s, for the label.
    pub env_files: Vec<PathBuf>,
    /// Services by name.
    pub services: BTreeMap<String, Service>,
    /// Services of the file that no active profile enables: not orphans.
    pub disabled: Vec<String>,
    /// Every profile that a service of the file names, sorted.
    pub profiles: Vec<String>,
    /// Networks by key, only those that a service uses.
    pub networks: BTreeMap<String, Network>,
    /// Volumes by key, only those that a service uses.
    pub volumes: BTreeMap<String, Volume>,
    /// Configs by key, only those that a service uses.
    pub configs: BTreeMap<String, FileObject>,
    /// Secrets by key, only those that a service uses.
    pub secrets: BTreeMap<String, FileObject>,
    /// What the file asks for and lighter cannot do, by name and place. `config` may show such a project; whatever makes
    /// containers must refuse it with the first of these.
    pub refusals: Vec<Diagnostic>,
    /// What the file asks for and means nothing on one host, by name and place: said once when containers are made.
    pub ineffective: Vec<Diagnostic>,
    /// What interpolation saw: the process environment over the environment files, and the name of the project.
    pub variables: Environment,
    /// Whether variables were replaced, so that a `$` in a value is a plain one.
    pub(crate) interpolated: bool,
    /// The canonical document this was read from.
    pub(crate) document: Node,
}

impl Project {
    /// Returns where an entry of `ports` of a service stands, by its place among those of the model.
    pub fn span_of_port(&self, service: &str, index: usize) -> Option<Span> {
        let service = self.document.get("services")?.get(service)?;
        Some(service.get("ports")?.items().get(index)?.span.clone())
    }

    /// Returns where the value at `path` stands: `["services", "web", "image"]`; the key of the nearest ancestor when the
    /// value itself is a default, [`None`] when nothing of the path is in a file.
    pub fn span(&self, path: &[&str]) -> Option<Span> {
        let mut node = &self.document;
        let mut span = None;
        for (index, key) in path.iter().enumerate() {
            let Some(entry) = node.as_map().and_then(|map| map.entry(key)) else { break };
            node = &entry.value;
            let is_scalar = node.as_map().is_none() && node.as_list().is_none();
            span = Some(if is_scalar && index + 1 == path.len() { node.span.clone() } else { entry.at.clone() });
        }
        span
    }
}
