//! Compose text to [`Project`], stage by stage.
//!
//! Runs in the command. Reads the compose files, what they include and extend, and environment files; touches nothing else.
//!
//! The order of the stages is part of the language (an override file can change an included service because inclusion
//! comes before merging):
//!
//! ```text
//! of each file:  compose (YAML) → interpolate → absolute paths → include → extends ─┐
//! of the whole:  merge ◀────────────────────────────────────────────────────────────┘
//!                → !reset → check → canonical → profiles → normalise → consistency → environment → model
//! ```

mod document;
mod environment;
mod extends;
mod files;
mod include;
mod name;

pub(crate) use files::read_one;

use std::path::PathBuf;

use crate::canonical::canonical;
use crate::decode;
use crate::diagnostic::{Diagnostic, Fault};
use crate::model::Project;
use crate::schema::{self, Shape};
use crate::source::{Environment, Source};
use crate::{consistency, merge, normalise, profiles, service_environment};

/// A project and what was odd about it.
#[derive(Debug)]
pub struct Loaded {
    /// The project.
    pub project: Project,
    /// What does not stop the command, in the order it was found.
    pub warnings: Vec<Diagnostic>,
}

/// Why a project could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Something in a file, with its place.
    #[error(transparent)]
    Invalid(#[from] Fault),
    /// No file was named and none was found.
    #[error("find a compose file in `{}` or a folder above it", searched.display())]
    NotFound {
        /// Where the search began.
        searched: PathBuf,
    },
    /// A file could not be read.
    #[error("read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A given project name is none.
    #[error(
        "`{name}` is not a project name: it must begin with a lower-case letter or a digit and consist of lower-case letters, digits, `-` and `_`"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// No name was given and the folder has none.
    #[error("name the project: nothing of `{}` can be used; give -p NAME", directory.display())]
    Unnamed {
        /// The project directory.
        directory: PathBuf,
    },
}

impl LoadError {
    /// Returns what to draw beside the text, where the error is about a place in a file.
    pub fn diagnostic(&self) -> Option<&Diagnostic> {
        if let Self::Invalid(fault) = self { Some(fault) } else { None }
    }
}

/// Loads the project that `source` describes, with the services of the active profiles.
///
/// # Errors
/// The first thing wrong, with its place where it has one.
pub fn load(source: &Source, environment: &Environment) -> Result<Loaded, LoadError> {
    let mut warnings = Vec::new();
    let variables = environment::variables(source, environment, &mut warnings)?;
    let found = files::locate(source, &variables, &mut warnings)?;
    let variables = environment::beside(source, variables, &found.directory, &mut warnings)?;
    let documents = files::read(source, &found.files)?;
    let name = name::project_name(source, &variables, &documents, &found.directory)?;

    let mut loader = document::Loader::new(&name, variables, found.directory.clone(), !source.no_interpolate);
    loader.including = found.files.clone();
    let mut whole = loader.load(documents)?;
    let variables = loader.variables;
    warnings.append(&mut loader.warnings);

    merge::strip(&mut whole);
    schema::check(&whole, &Shape::Object(&schema::PROJECT), "")?;
    let mut whole = canonical(whole, &Shape::Object(&schema::PROJECT), "")?;
    let active = profiles::active(source, &variables);
    let disabled = profiles::select(&mut whole, &active, &source.services);
    normalise::normalise(&mut whole, &name);
    consistency::check(&whole, &disabled)?;
    service_environment::resolve(&mut whole, &variables, &mut warnings)?;
    normalise::drop_unused(&mut whole);

    let frame = decode::Frame {
        name,
        working_directory: found.directory,
        files: found.files,
        env_files: environment::named_files(source, environment),
        disabled,
        interpolated: !source.no_interpolate,
    };
    let project = decode::project(whole, frame, &variables, &mut warnings);
    Ok(Loaded { project, warnings })
}

/// Returns the project name as far as it is known without reading a compose file: `-p`, then `COMPOSE_PROJECT_NAME` of the
/// process environment and of `.env`.
///
/// # Errors
/// A given name that is not `[a-z0-9][a-z0-9_-]*`, or an environment file that cannot be read.
pub fn resolve_name(source: &Source, environment: &Environment) -> Result<Option<String>, LoadError> {
    let variables = environment::variables(source, environment, &mut Vec::new())?;
    name::given(source, &variables)
}

#[cfg(test)]
mod tests;
