//! The variables that compose files mention, without their values.
//!
//! Runs in the command. Reads the files of a project; what they include or extend keeps its variables to itself, as in the
//! reference.

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;
use crate::interpolate::template;
use crate::load::{LoadError, documents};
use crate::source::{Environment, Source};
use crate::yaml::{Node, Value};

/// A variable as the files mention it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variable {
    /// Whether a place demands it: `${NAME:?message}`.
    pub required: bool,
    /// What stands for it where it has no value: `${NAME:-default}`.
    pub default: String,
    /// What stands in its place where it has one: `${NAME:+other}`.
    pub alternate: String,
}

/// Returns the variables that the files of `source` mention, by name.
///
/// # Errors
/// A file that cannot be found or read.
pub fn mentioned(source: &Source, environment: &Environment) -> Result<BTreeMap<String, Variable>, LoadError> {
    let mut found = BTreeMap::new();
    let mut ignored: Vec<Diagnostic> = Vec::new();
    for document in documents(source, environment, &mut ignored)? {
        walk(&document, &mut found);
    }
    Ok(found)
}

fn walk(node: &Node, found: &mut BTreeMap<String, Variable>) {
    match &node.value {
        Value::Text(text) => template::mentions(text, found),
        Value::List(items) => items.iter().for_each(|item| walk(item, found)),
        Value::Map(map) => map.0.iter().for_each(|entry| walk(&entry.value, found)),
        _ => {}
    }
}
