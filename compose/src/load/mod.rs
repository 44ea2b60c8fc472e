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
//!                → !reset → check ─┬─▶ (the next file)
//!                                  └─▶ canonical → profiles → normalise → consistency → environment → model
//! ```

mod document;
mod environment;
mod extends;
mod files;
mod include;
mod legacy;
mod name;

pub(crate) use files::read_one;

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::canonical::{Misread, canonical};
use crate::decode;
use crate::diagnostic::{Diagnostic, Fault, Faults};
use crate::interpolate::template;
use crate::model::Project;
use crate::schema::{self, Shape};
use crate::source::{Environment, Source};
use crate::yaml::Node;
use crate::{consistency, normalise, profiles, service_environment};

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
    /// What is wrong in the files, with its places.
    #[error(transparent)]
    Invalid(#[from] Faults),
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
    /// Returns what to draw beside the text; nothing where the error is not about a place in a file.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        if let Self::Invalid(faults) = self { faults.diagnostics() } else { &[] }
    }
}

impl From<Fault> for LoadError {
    fn from(fault: Fault) -> Self {
        Faults::from(fault).into()
    }
}

/// Loads the project that `source` describes, with the services of the active profiles.
///
/// # Errors
/// Everything that the first stage with an error finds wrong, with its places.
pub fn load(source: &Source, environment: &Environment) -> Result<Loaded, LoadError> {
    stages(source, environment).map_err(|error| match error {
        LoadError::Invalid(faults) if !source.no_interpolate => faults.each(name_variables).into(),
        other => other,
    })
}

/// Tells of a bad value from which variables it came; a fault that is about a variable has told already.
fn name_variables(fault: &mut Diagnostic) {
    let Some(label) = fault.labels.first().filter(|_| !fault.message.contains("variable")) else { return };
    let mut mentioned = BTreeMap::new();
    template::mentions(label.span.file().text.get(label.span.range()).unwrap_or_default(), &mut mentioned);
    let names: Vec<_> = mentioned.keys().map(|name| format!("`{name}`")).collect();
    match names.len() {
        0 => {}
        1 => fault.hints.push(format!("the value comes from the variable {}", names[0])),
        _ => fault.hints.push(format!("the value comes from the variables {}", names.join(", "))),
    }
}

fn stages(source: &Source, environment: &Environment) -> Result<Loaded, LoadError> {
    let mut warnings = Vec::new();
    let variables = environment::variables(source, environment, &mut warnings)?;
    let found = files::locate(source, &variables, &mut warnings)?;
    let variables = environment::beside(source, variables, &found.directory, &mut warnings)?;
    let texts = files::read(source, &found.files)?;
    let parsed = texts.into_iter().map(|text| files::parse(text, &mut warnings)).collect::<Result<Vec<_>, _>>()?;
    let name = name::project_name(source, &variables, &parsed, &found.directory)?;

    let mut loader = document::Loader::new(&name, variables, found.directory.clone(), source);
    loader.including = found.files.clone();
    let whole = loader.load(parsed)?;
    let variables = loader.variables;
    warnings.append(&mut loader.warnings);

    let mut whole = one_form(whole, source, &mut warnings)?;
    let profiles = profiles::all(&whole);
    let active = profiles::active(source, &variables);
    let disabled = profiles::select(&mut whole, &active, &source.services);
    normalise::fill(&mut whole);
    if !source.no_normalize {
        normalise::normalise(&mut whole, &name, &variables);
    }
    if !source.no_consistency {
        consistency::check(&whole, &disabled)?;
    }
    if !source.no_env_resolution {
        service_environment::resolve(&mut whole, &variables, &mut warnings)?;
    }
    normalise::drop_unused(&mut whole);

    let frame = decode::Frame {
        name,
        working_directory: found.directory,
        files: found.files,
        env_files: environment::named_files(source, environment),
        disabled,
        profiles,
        interpolated: !source.no_interpolate,
    };
    let project = decode::project(whole, frame, variables);
    Ok(Loaded { project, warnings })
}

/// Reads the documents of a project as they are written.
pub(crate) fn documents(
    source: &Source,
    environment: &Environment,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Vec<Node>, LoadError> {
    let variables = environment::variables(source, environment, warnings)?;
    let found = files::locate(source, &variables, warnings)?;
    let texts = files::read(source, &found.files)?;
    let parsed = texts.into_iter().map(|text| files::parse(text, warnings)).collect::<Result<Vec<_>, _>>()?;
    Ok(parsed.into_iter().flat_map(|file| file.documents).collect())
}

/// Makes every value canonical; where variables were not replaced, what cannot be read stays as it is.
fn one_form(whole: Node, source: &Source, warnings: &mut Vec<Diagnostic>) -> Result<Node, Faults> {
    let mut misread = Misread::new(source.no_interpolate);
    let whole = canonical(whole, &Shape::Object(&schema::PROJECT), "", &mut misread);
    warnings.append(&mut misread.warnings);
    Faults::of(misread.faults).map(|()| whole)
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
