//! Which compose files make the project, and their text.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::LoadError;
use crate::diagnostic::{Diagnostic, SourceText};
use crate::paths;
use crate::source::{Environment, Source};
use crate::yaml::{self, Node};

/// Names looked for, the first wins (Compose Specification, 03-compose-file).
const NAMES: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];

/// The name that was looked for before Compose was called so; it stands back behind every newer one.
const OLD_NAME: &str = "fig.yml";

/// Names of a file laid over a found one, the first wins.
const OVERRIDES: [&str; 4] =
    ["compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml"];

/// Size beyond which a file is refused: no compose file is near it, and a mistaken one would fill the memory.
const MAX_SIZE: u64 = 16 << 20;

/// The files of a project and the base of its relative paths, all absolute.
pub(super) struct Found {
    pub files: Vec<PathBuf>,
    pub directory: PathBuf,
}

/// Finds the files: named ones, those of `COMPOSE_FILE`, or the nearest of the known names and its override.
pub(super) fn locate(
    source: &Source,
    variables: &Environment,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Found, LoadError> {
    let absolute = |path: &Path| paths::clean(&source.working_directory.join(path));
    let mut files: Vec<_> = named(source, variables);
    if files.is_empty() {
        files = discover(&source.working_directory, warnings)?;
    }
    let files: Vec<_> = files.iter().map(|file| if is_stdin(file) { file.clone() } else { absolute(file) }).collect();
    let directory = match (&source.project_directory, files.first()) {
        (Some(directory), _) => absolute(directory),
        (None, Some(first)) if !is_stdin(first) => first.parent().unwrap_or(Path::new("/")).to_path_buf(),
        _ => source.working_directory.clone(),
    };
    Ok(Found { files, directory })
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// Returns the files named by the command line, else those of `COMPOSE_FILE`.
fn named(source: &Source, variables: &Environment) -> Vec<PathBuf> {
    if !source.files.is_empty() {
        return source.files.clone();
    }
    let separator = variables.get("COMPOSE_PATH_SEPARATOR").map_or(":", String::as_str);
    let list = variables.get("COMPOSE_FILE").or_else(|| variables.get("FIG_FILE")).map_or("", String::as_str);
    match separator {
        "" => vec![PathBuf::from(list)],
        _ => list.split(separator).filter(|file| !file.is_empty()).map(PathBuf::from).collect(),
    }
}

/// Looks for a compose file from `start` upwards.
fn discover(start: &Path, warnings: &mut Vec<Diagnostic>) -> Result<Vec<PathBuf>, LoadError> {
    for directory in start.ancestors() {
        let present = |names: [&str; 4]| -> Vec<PathBuf> {
            names.iter().map(|name| directory.join(name)).filter(|path| path.is_file()).collect()
        };
        let mut candidates = present(NAMES);
        let old = directory.join(OLD_NAME);
        if candidates.is_empty() && old.is_file() {
            candidates.push(old);
        }
        let Some(first) = candidates.first() else { continue };
        if candidates.len() > 1 {
            let message = format!("several compose files in `{}`, using `{}`", directory.display(), first.display());
            warnings.push(Diagnostic::warning(message).hint("name the one you mean with -f"));
        }
        return Ok([first.clone()].into_iter().chain(present(OVERRIDES).into_iter().next()).collect());
    }
    Err(LoadError::NotFound { searched: start.to_path_buf() })
}

/// Reads the files of a project, in order.
pub(super) fn read(source: &Source, files: &[PathBuf]) -> Result<Vec<Arc<SourceText>>, LoadError> {
    let stdin = || SourceText { path: PathBuf::from("-"), text: source.stdin.clone().unwrap_or_default() };
    files.iter().map(|file| if is_stdin(file) { Ok(Arc::new(stdin())) } else { read_one(file) }).collect()
}

/// A file and its documents, as they are written.
pub(super) struct Parsed {
    pub file: Arc<SourceText>,
    pub documents: Vec<Node>,
}

/// Reads the YAML of a file.
pub(super) fn parse(file: Arc<SourceText>, warnings: &mut Vec<Diagnostic>) -> Result<Parsed, LoadError> {
    let documents = yaml::parse(&file, warnings)?;
    Ok(Parsed { file, documents })
}

/// Reads one file, without its byte order mark.
pub(crate) fn read_one(path: &Path) -> Result<Arc<SourceText>, LoadError> {
    let failed = |source| LoadError::Read { path: path.to_path_buf(), source };
    let size = fs::metadata(path).map_err(failed)?.len();
    if size > MAX_SIZE {
        let message = format!("it has {size} bytes, more than {MAX_SIZE}");
        return Err(failed(io::Error::new(io::ErrorKind::FileTooLarge, message)));
    }
    let text = fs::read_to_string(path).map_err(failed)?;
    let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
    Ok(Arc::new(SourceText { path: path.to_path_buf(), text }))
}
