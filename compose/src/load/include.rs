//! `include`: other projects as part of this one (Compose Specification, 14-include).
//!
//! Each item is loaded as a project of its own, with its own folder and its own defaults for variables, and laid under the
//! including document, which therefore wins where both say something.

use std::path::{Path, PathBuf};

use super::document::Loader;
use super::{LoadError, environment, files};
use crate::diagnostic::{Diagnostic, Fault, Faults};
use crate::forms;
use crate::merge;
use crate::schema::{self, PROJECT, Shape};
use crate::source::Environment;
use crate::yaml::{Node, Value};

/// Files that may lie between a project and what it includes, so that loading may recurse.
const MAX_DEPTH: usize = 50;

/// Files that may be included in all: two in each of fifty steps would be more than there is time for.
const MOST_FILES: usize = 1000;

/// Returns the document with what it includes in place of its `include`.
pub(super) fn resolve(mut document: Node, loader: &mut Loader) -> Result<Node, LoadError> {
    let Some(include) = document.as_map_mut().and_then(|map| map.remove("include")) else { return Ok(document) };
    if include.is_null() {
        return Ok(document);
    }
    let mut faults = Vec::new();
    PROJECT
        .field("include")
        .into_iter()
        .for_each(|field| schema::check(&include, &field.shape, "include", &mut faults));
    Faults::of(faults)?;
    let mut under: Option<Node> = None;
    for item in include.items() {
        let included = load(&forms::long(item.clone(), "path"), loader)?;
        under = Some(match under {
            Some(base) => merge::merge(base, included, &Shape::Object(&PROJECT), "")?,
            None => included,
        });
    }
    match under {
        Some(base) => Ok(merge::merge(base, document, &Shape::Object(&PROJECT), "")?),
        None => Ok(document),
    }
}

fn load(item: &Node, loader: &mut Loader) -> Result<Node, LoadError> {
    let paths = forms::list(item.get("path").cloned().unwrap_or_else(|| item.clone()));
    let files = paths.items().iter().map(|path| file(path, loader)).collect::<Result<Vec<_>, _>>()?;
    let Some(first) = files.first() else { return Ok(item.here(Value::Map(Default::default()))) };
    let directory = match item.text("project_directory") {
        Some(directory) if Path::new(directory).is_dir() => PathBuf::from(directory),
        // As the reference does: what is no folder stands for the folder it is in.
        Some(other) => Path::new(other).parent().unwrap_or(Path::new("/")).to_path_buf(),
        None => first.parent().unwrap_or(Path::new("/")).to_path_buf(),
    };
    loader.included += files.len();
    if loader.included > MOST_FILES {
        let fault = Diagnostic::error(format!("more than {MOST_FILES} files are included"));
        return Err(Box::new(fault.at(&paths.span)).into());
    }
    let variables = variables(item, &directory, loader)?;
    let including = loader.including.iter().chain(&files).cloned().collect();
    let texts = files.iter().map(|file| files::read_one(file)).collect::<Result<Vec<_>, _>>();
    let texts = texts.map_err(|error| at_place(error, &paths))?;
    let mut inner = loader.inner(variables, directory, including);
    let parsed = texts.into_iter().map(|text| files::parse(text, &mut loader.warnings)).collect::<Result<_, _>>()?;
    let mut included = inner.load(parsed)?;
    loader.included = inner.included;
    loader.warnings.append(&mut inner.warnings);
    // Names and versions of an included project say nothing about the whole.
    if let Some(map) = included.as_map_mut() {
        map.0.retain(|entry| !matches!(entry.key.as_str(), "name" | "version"));
    }
    Ok(included)
}

fn file(path: &Node, loader: &Loader) -> Result<PathBuf, Fault> {
    let text = path.as_text().unwrap_or_default();
    if text.contains("://") || text.starts_with("oci:") || text.starts_with("git@") {
        let fault = Diagnostic::error(format!("`include` of the remote file `{text}` is not supported by lighter yet"));
        return Err(Box::new(fault.at(&path.span)));
    }
    let file = PathBuf::from(text);
    if loader.including.len() > MAX_DEPTH {
        let fault = Diagnostic::error(format!("files include each other over more than {MAX_DEPTH} steps"));
        return Err(Box::new(fault.at(&path.span)));
    }
    if loader.including.contains(&file) {
        let cycle = loader.including.iter().skip_while(|other| **other != file).chain([&file]);
        let cycle = cycle.map(|file| file.display().to_string()).collect::<Vec<_>>().join(" → ");
        return Err(Box::new(Diagnostic::error(format!("files include each other: {cycle}")).at(&path.span)));
    }
    Ok(file)
}

/// Returns the variables of an included project: those of the including one over its own files.
fn variables(item: &Node, directory: &Path, loader: &mut Loader) -> Result<Environment, LoadError> {
    let default = directory.join(".env");
    let files: Vec<PathBuf> = match item.get("env_file") {
        Some(files) => forms::list(files.clone()).items().iter().filter_map(Node::as_text).map(PathBuf::from).collect(),
        None if default.is_file() => vec![default],
        None => Vec::new(),
    };
    let mut own = Environment::new();
    for file in files {
        let outer = environment::over(&loader.variables, &own);
        own.extend(environment::read(&file, &outer, &mut loader.warnings)?);
    }
    Ok(environment::over(&loader.variables, &own))
}

/// Gives an unreadable file the place where it is named.
fn at_place(error: LoadError, place: &Node) -> LoadError {
    match error {
        LoadError::Read { path, source } => {
            let fault = Diagnostic::error(format!("read `{}`: {source}", path.display()));
            Box::new(fault.at(&place.span)).into()
        }
        other => other,
    }
}
