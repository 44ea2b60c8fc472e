//! The canonical text of a project: what `config` prints.
//!
//! Runs in the command. The text, given back as a compose file, is the same project.

use crate::model::Project;

/// Renders the project as JSON with two blanks of indentation, keys sorted.
pub fn json(_project: &Project) -> String {
    todo!()
}

/// Renders the project as YAML.
pub fn yaml(_project: &Project) -> String {
    todo!()
}
