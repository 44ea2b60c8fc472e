//! The name of a project.

use std::path::Path;
use std::sync::Arc;

use super::LoadError;
use crate::diagnostic::{Diagnostic, SourceText};
use crate::interpolate::{Scope, interpolate_text};
use crate::source::{Environment, Source};
use crate::yaml::{self, Node};

/// Returns the name: given, else `name:` of the last file that has one, else made from the project directory.
pub(super) fn project_name(
    source: &Source,
    variables: &Environment,
    documents: &[Arc<SourceText>],
    directory: &Path,
) -> Result<String, LoadError> {
    if let Some(name) = given(source, variables)? {
        return Ok(name);
    }
    let mut written = None;
    for file in documents {
        for document in yaml::parse(file)? {
            written = document.get("name").filter(|name| name.as_text().is_some()).cloned().or(written);
        }
    }
    match written {
        Some(node) => from_file(&node, variables),
        None => normalised(directory).ok_or_else(|| LoadError::Unnamed { directory: directory.to_path_buf() }),
    }
}

/// Returns the name that the command line or the variables give.
pub(super) fn given(source: &Source, variables: &Environment) -> Result<Option<String>, LoadError> {
    let variable = variables.get("COMPOSE_PROJECT_NAME").filter(|name| !name.is_empty());
    match source.project_name.as_ref().or(variable) {
        Some(name) if is_name(name) => Ok(Some(name.clone())),
        Some(name) => Err(LoadError::Name { name: name.clone() }),
        None => Ok(None),
    }
}

fn from_file(node: &Node, variables: &Environment) -> Result<String, LoadError> {
    // The warnings of this text come once, when its whole file is interpolated.
    let mut scope = Scope { variables, warnings: &mut Vec::new() };
    let name = interpolate_text(node.as_text().unwrap_or_default(), &node.span, &mut scope)?;
    if is_name(&name) {
        return Ok(name);
    }
    let fault = Diagnostic::error(format!("`{}` is not a project name", name.escape_debug())).at(&node.span);
    let hint =
        "it must begin with a lower-case letter or a digit and consist of lower-case letters, digits, `-` and `_`";
    Err(Box::new(fault.hint(hint)).into())
}

/// Returns whether `name` is `[a-z0-9][a-z0-9_-]*`.
fn is_name(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.starts_with(letter) && name.chars().all(|c| letter(c) || matches!(c, '-' | '_'))
}

/// Makes a name of the last part of a path; [`None`] when nothing is left of it.
fn normalised(directory: &Path) -> Option<String> {
    let last = directory.file_name()?.to_string_lossy().to_lowercase();
    let kept: String = last.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect();
    let name = kept.trim_start_matches(['-', '_']);
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_a_name() {
        let cases = [
            ("/x/My.App_Dir-2", Some("myapp_dir-2")),
            ("/x/_-_a b", Some("ab")),
            ("/x/...", None),
            ("/", None),
            ("/x/Ärger", Some("rger")),
        ];
        for (directory, name) in cases {
            assert_eq!(normalised(Path::new(directory)).as_deref(), name, "{directory}");
        }
    }

    #[test]
    fn a_given_name_is_taken_as_it_is_or_refused() {
        for (name, good) in [("0-kettle_x--y", true), ("Web", false), ("-x", false), ("", false), ("../x", false)] {
            assert_eq!(is_name(name), good, "{name}");
        }
    }
}
