//! Texts to one merged document.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::{self, Parsed};
use super::{LoadError, extends, include, legacy};
use crate::diagnostic::{Diagnostic, Faults, SourceText};
use crate::interpolate::{Scope, interpolate};
use crate::merge;
use crate::normalise;
use crate::paths::{self, Base};
use crate::schema::{self, PROJECT, Shape};
use crate::source::{Environment, Source};
use crate::yaml::Node;

/// What the documents of one project, or of one included project, have in common.
pub(super) struct Loader {
    /// What interpolation sees.
    pub variables: Environment,
    /// The base of relative paths.
    pub base: Base,
    /// The files whose inclusion led here, to find cycles.
    pub including: Vec<PathBuf>,
    /// How many files have been included so far, in all.
    pub included: usize,
    /// What was odd so far.
    pub warnings: Vec<Diagnostic>,
    /// Whether paths are to stay as they are written.
    paths_stay: bool,
    interpolate: bool,
}

impl Loader {
    pub(super) fn new(name: &str, mut variables: Environment, directory: PathBuf, source: &Source) -> Self {
        variables.insert("COMPOSE_PROJECT_NAME".to_owned(), name.to_owned());
        let base = Base::new(directory, &variables);
        let (paths_stay, interpolate) = (source.no_path_resolution, !source.no_interpolate);
        Self { variables, base, including: Vec::new(), included: 0, warnings: Vec::new(), paths_stay, interpolate }
    }

    /// Returns the loader of an included project.
    pub(super) fn inner(&self, variables: Environment, directory: PathBuf, including: Vec<PathBuf>) -> Self {
        let base = Base::new(directory, &variables);
        let Self { included, paths_stay, interpolate, .. } = *self;
        Self { variables, base, including, included, warnings: Vec::new(), paths_stay, interpolate }
    }

    /// Merges every document of every file, in order, and checks the whole after each, as the reference does: so a fault is
    /// one of the file that brought it.
    pub(super) fn load(&mut self, files: Vec<Parsed>) -> Result<Node, LoadError> {
        let mut whole: Option<Node> = None;
        for Parsed { file, documents } in files {
            for document in self.prepared(documents)? {
                self.note_version(&document);
                let document = include::resolve(document, self)?;
                let document = extends::resolve(document, &file.path, self)?;
                let mut merged = match whole {
                    Some(base) => merge::merge(base, document, &Shape::Object(&PROJECT), "")?,
                    None => document,
                };
                merge::strip(&mut merged);
                let mut faults = Vec::new();
                schema::check(&merged, &Shape::Object(&PROJECT), "", &mut faults);
                Faults::of(faults)?;
                whole = Some(merged);
            }
        }
        let mut whole = whole.ok_or_else(|| Box::new(Diagnostic::error("the compose file is empty")))?;
        let here = Path::new(".");
        normalise::contexts(&mut whole, if self.paths_stay { here } else { &self.base.directory });
        Ok(whole)
    }

    /// Reads the documents of one file: interpolated, with absolute paths.
    pub(super) fn documents(&mut self, file: Arc<SourceText>) -> Result<Vec<Node>, LoadError> {
        let parsed = files::parse(file, &mut self.warnings)?;
        self.prepared(parsed.documents)
    }

    /// Interpolates documents and makes their paths absolute. An empty document says nothing.
    fn prepared(&mut self, mut documents: Vec<Node>) -> Result<Vec<Node>, LoadError> {
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
        legacy::modernise(document, &mut self.warnings);
        if self.interpolate {
            let mut faults = Vec::new();
            let mut scope = Scope::new(&self.variables, &mut self.warnings);
            interpolate(document, &mut scope, &mut faults);
            Faults::of(faults)?;
        }
        if self.paths_stay {
            paths::resolve_files(document, &self.base);
        } else {
            paths::resolve(document, &self.base);
        }
        Ok(())
    }

    fn note_version(&mut self, document: &Node) {
        if let Some(version) = document.as_map().and_then(|map| map.entry("version")) {
            let warning = Diagnostic::warning("`version` is obsolete and means nothing").at(&version.at);
            self.warnings.push(warning.hint("remove the line"));
        }
    }
}
