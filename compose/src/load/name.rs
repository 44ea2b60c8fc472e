//! The name of a project.

use std::path::Path;

use super::LoadError;
use super::files::Parsed;
use crate::interpolate::{Scope, interpolate_text};
use crate::source::{Environment, Source};
use crate::yaml::Node;

/// Returns the name: given, else made from `name:` of the last file that has one, else from the project directory.
pub(super) fn project_name(
    source: &Source,
    variables: &Environment,
    files: &[Parsed],
    directory: &Path,
) -> Result<String, LoadError> {
    if let Some(name) = given(source, variables)? {
        return Ok(name);
    }
    let mut names = files.iter().flat_map(|file| &file.documents).filter_map(|document| document.get("name"));
    let written = match names.rfind(|name| name.as_text().is_some_and(|text| !text.is_empty())) {
        Some(node) => from_file(node, source, variables)?,
        None => None,
    };
    let folder = || directory.file_name().and_then(|name| normalised(&name.to_string_lossy()));
    written.or_else(folder).ok_or_else(|| LoadError::Unnamed { directory: directory.to_path_buf() })
}

/// Returns the name that the command line or the variables give.
pub(super) fn given(source: &Source, variables: &Environment) -> Result<Option<String>, LoadError> {
    let of = |name: &str| variables.get(name).filter(|name| !name.is_empty());
    let variable = of("COMPOSE_PROJECT_NAME").or_else(|| of("FIG_PROJECT_NAME"));
    match source.project_name.as_ref().or(variable) {
        Some(name) if is_name(name) => Ok(Some(name.clone())),
        Some(name) => Err(LoadError::Name { name: name.clone() }),
        None => Ok(None),
    }
}

fn from_file(node: &Node, source: &Source, variables: &Environment) -> Result<Option<String>, LoadError> {
    let text = node.as_text().unwrap_or_default();
    if source.no_interpolate {
        return Ok(normalised(text));
    }
    // The warnings of this text come once, when its whole file is interpolated.
    let name = interpolate_text(text, &node.span, &mut Scope::new(variables, &mut Vec::new()))?;
    Ok(normalised(&name))
}

/// Returns whether `name` is `[a-z0-9][a-z0-9_-]*`.
fn is_name(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.starts_with(letter) && name.chars().all(|c| letter(c) || matches!(c, '-' | '_'))
}

/// Makes a name of a text; [`None`] when nothing is left of it.
fn normalised(text: &str) -> Option<String> {
    let kept: String =
        text.to_lowercase().chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect();
    let name = kept.trim_start_matches(['-', '_']);
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_gives_a_name() {
        let cases =
            [("My.App_Dir-2", Some("myapp_dir-2")), ("_-_a b", Some("ab")), ("...", None), ("Ärger", Some("rger"))];
        for (text, name) in cases {
            assert_eq!(normalised(text).as_deref(), name, "{text}");
        }
    }

    #[test]
    fn a_given_name_is_taken_as_it_is_or_refused() {
        for (name, good) in [("0-kettle_x--y", true), ("Web", false), ("-x", false), ("", false), ("../x", false)] {
            assert_eq!(is_name(name), good, "{name}");
        }
    }
}
