//! Texts to one merged document.

use std::path::PathBuf;
use std::sync::Arc;

use super::{LoadError, extends, include};
use crate::diagnostic::{Diagnostic, SourceText};
use crate::interpolate::{Scope, interpolate};
use crate::merge;
use crate::paths::{self, Base};
use crate::schema::{PROJECT, Shape};
use crate::source::Environment;
use crate::yaml::{self, Node, Value};

/// What the documents of one project, or of one included project, have in common.
pub(super) struct Loader {
    /// What interpolation sees.
    pub variables: Environment,
    /// The base of relative paths.
    pub base: Base,
    /// The files whose inclusion led here, to find cycles.
    pub including: Vec<PathBuf>,
    /// What was odd so far.
    pub warnings: Vec<Diagnostic>,
    interpolate: bool,
}

impl Loader {
    pub(super) fn new(name: &str, mut variables: Environment, directory: PathBuf, interpolate: bool) -> Self {
        variables.insert("COMPOSE_PROJECT_NAME".to_owned(), name.to_owned());
        let base = Base::new(directory, &variables);
        Self { variables, base, including: Vec::new(), warnings: Vec::new(), interpolate }
    }

    /// Returns the loader of an included project.
    pub(super) fn inner(&self, variables: Environment, directory: PathBuf, including: Vec<PathBuf>) -> Self {
        let base = Base::new(directory, &variables);
        Self { variables, base, including, warnings: Vec::new(), interpolate: self.interpolate }
    }

    /// Merges every document of every file, in order. Tags stay on the result.
    pub(super) fn load(&mut self, files: Vec<Arc<SourceText>>) -> Result<Node, LoadError> {
        let mut whole: Option<Node> = None;
        for file in files {
            for document in self.documents(&file)? {
                self.note_version(&document);
                let document = include::resolve(document, self)?;
                let document = extends::resolve(document, &file.path, self)?;
                whole = Some(match whole {
                    Some(base) => merge::merge(base, document, &Shape::Object(&PROJECT), "")?,
                    None => document,
                });
            }
        }
        whole.ok_or_else(|| Box::new(Diagnostic::error("the compose file is empty")).into())
    }

    /// Reads the documents of one file: interpolated, with absolute paths.
    pub(super) fn documents(&mut self, file: &Arc<SourceText>) -> Result<Vec<Node>, LoadError> {
        let mut documents = yaml::parse(file)?;
        let empty = || Diagnostic::error(format!("`{}` is empty", file.path.display()));
        if documents.iter().all(Node::is_null) {
            return Err(Box::new(empty()).into());
        }
        documents.retain(|document| !document.is_null());
        for document in &mut documents {
            self.prepare(document)?;
        }
        Ok(documents)
    }

    fn prepare(&mut self, document: &mut Node) -> Result<(), LoadError> {
        if document.as_map().is_none() {
            let message = format!("a compose file must be a mapping, not {}", document.kind());
            return Err(Box::new(Diagnostic::error(message).at(&document.span)).into());
        }
        if document.get("services").is_some_and(|services| services.value == Value::Null) {
            let at = document.as_map().and_then(|map| map.entry("services")).map(|entry| &entry.at);
            let fault = Diagnostic::error("`services` must be a mapping, not nothing").at(at.unwrap_or(&document.span));
            return Err(Box::new(fault).into());
        }
        if self.interpolate {
            interpolate(document, &mut Scope { variables: &self.variables, warnings: &mut self.warnings })?;
        }
        paths::resolve(document, &self.base);
        Ok(())
    }

    fn note_version(&mut self, document: &Node) {
        if let Some(version) = document.as_map().and_then(|map| map.entry("version")) {
            let warning = Diagnostic::warning("`version` is obsolete and means nothing").at(&version.at);
            self.warnings.push(warning.hint("remove the line"));
        }
    }
}
