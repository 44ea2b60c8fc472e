//! The variables of a project: the process environment over the environment files.

use std::path::{Path, PathBuf};

use super::{LoadError, files};
use crate::diagnostic::Diagnostic;
use crate::dotenv::{self, Format};
use crate::paths;
use crate::source::{Environment, Source};

/// Returns the process environment over the named environment files, or over `.env` of the working directory.
///
/// `COMPOSE_FILE` and its kin may stand in these files, so they are read before any compose file is found.
pub(super) fn variables(
    source: &Source,
    environment: &Environment,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Environment, LoadError> {
    let named = named_files(source, environment);
    if named.is_empty() {
        return default_file(environment.clone(), &source.working_directory, warnings);
    }
    let mut from_files = Environment::new();
    for file in named {
        let pairs = read(&file, &over(environment, &from_files), warnings)?;
        // A later file wins over an earlier one; the process environment over all.
        from_files.extend(pairs);
    }
    Ok(over(environment, &from_files))
}

/// Adds `.env` beside the compose file, where no environment file was named; what is known already wins.
pub(super) fn beside(
    source: &Source,
    variables: Environment,
    directory: &Path,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Environment, LoadError> {
    let named = !named_files(source, &variables).is_empty();
    if named || directory == source.working_directory {
        return Ok(variables);
    }
    default_file(variables, directory, warnings)
}

/// Returns the environment files of the command line, else of `COMPOSE_ENV_FILES`, absolute.
pub(super) fn named_files(source: &Source, environment: &Environment) -> Vec<PathBuf> {
    let listed = environment.get("COMPOSE_ENV_FILES").map_or("", String::as_str);
    let listed = listed.split(',').filter(|file| !file.is_empty()).map(PathBuf::from);
    let files = if source.env_files.is_empty() { listed.collect() } else { source.env_files.clone() };
    files.iter().map(|file| paths::clean(&source.working_directory.join(file))).collect()
}

fn default_file(
    variables: Environment,
    directory: &Path,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Environment, LoadError> {
    let file = directory.join(".env");
    let disabled =
        variables.get("COMPOSE_DISABLE_ENV_FILE").is_some_and(|value| matches!(value.as_str(), "1" | "true"));
    if disabled || !file.is_file() {
        return Ok(variables);
    }
    let pairs = read(&file, &variables, warnings)?;
    Ok(over(&variables, &pairs.into_iter().collect()))
}

/// Reads one environment file; `/dev/null` and its like are empty.
pub(super) fn read(
    file: &Path,
    outer: &Environment,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Vec<(String, String)>, LoadError> {
    let text = files::read_one(file)?;
    Ok(dotenv::read(&text, Format::Compose, outer, warnings)?)
}

/// Lays `over` over `under`.
pub(super) fn over(over: &Environment, under: &Environment) -> Environment {
    let mut result = under.clone();
    result.extend(over.iter().map(|(key, value)| (key.clone(), value.clone())));
    result
}
