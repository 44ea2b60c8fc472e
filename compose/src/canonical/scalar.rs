//! Scalars: text that is a number, a truth, a size, a duration.

use crate::diagnostic::{Diagnostic, Fault};
use crate::units;
use crate::yaml::{Node, Value};

fn fault(node: &Node, path: &str, expected: &str) -> Fault {
    let written = node.scalar_text().unwrap_or_default();
    Box::new(Diagnostic::error(format!("`{path}` must be {expected}, not `{written}`")).at(&node.span))
}

pub(super) fn integer(node: Node, path: &str) -> Result<Node, Fault> {
    let value = match &node.value {
        Value::Int(value) => Some(*value),
        #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and within the range")]
        Value::Float(value) if value.fract() == 0.0 && value.abs() < 1e18 => Some(*value as i128),
        Value::Text(text) => text.trim().parse().ok(),
        _ => None,
    };
    // Everything that takes these numbers holds 64 bits.
    match value.filter(|value| i64::try_from(*value).is_ok()) {
        Some(value) => Ok(node.here(Value::Int(value))),
        None => Err(fault(&node, path, "a whole number")),
    }
}

pub(super) fn count(node: Node, path: &str) -> Result<Node, Fault> {
    if node.as_text() == Some("all") { Ok(node.here(Value::Int(-1))) } else { integer(node, path) }
}

pub(super) fn number(node: Node, path: &str) -> Result<Node, Fault> {
    let value = match &node.value {
        Value::Int(_) | Value::Float(_) => return Ok(node),
        Value::Text(text) => text.trim().parse::<f64>().ok().filter(|value| value.is_finite()),
        _ => None,
    };
    value.map(|value| node.here(Value::Float(value))).ok_or_else(|| fault(&node, path, "a number"))
}

pub(super) fn boolean(node: Node, path: &str) -> Result<Node, Fault> {
    let value = match &node.value {
        Value::Bool(value) => Some(*value),
        Value::Text(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "y" | "on" | "1" => Some(true),
            "false" | "no" | "n" | "off" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    };
    value.map(|value| node.here(Value::Bool(value))).ok_or_else(|| fault(&node, path, "true or false"))
}

/// Makes a text of the number of bytes; -1 stays, where it means without limit.
pub(super) fn size(node: Node, path: &str) -> Result<Node, Fault> {
    let bytes = match &node.value {
        Value::Int(value) if *value >= -1 => Some(value.to_string()),
        #[expect(clippy::cast_possible_truncation, reason = "checked to be within the range")]
        Value::Float(value) if *value >= 0.0 && *value < 9.2e18 => Some((*value as i128).to_string()),
        Value::Text(text) if text == "-1" => Some(text.clone()),
        Value::Text(text) => units::parse_size(text).map(|bytes| bytes.to_string()),
        _ => None,
    };
    bytes.map(|bytes| node.text_here(bytes)).ok_or_else(|| fault(&node, path, "a size such as 512m"))
}

pub(super) fn duration(node: Node, path: &str) -> Result<Node, Fault> {
    match node.as_text().and_then(units::parse_duration) {
        Some(duration) => Ok(node.text_here(units::format_duration(duration))),
        None => Err(fault(&node, path, "a duration such as 1m30s")),
    }
}

/// Reads permission bits; text is octal, a number is what YAML made of it.
pub(super) fn octal(node: Node, path: &str) -> Result<(Node, i128), Fault> {
    let mode = match &node.value {
        Value::Int(value) => Some(*value),
        Value::Text(text) => i128::from_str_radix(text.strip_prefix("0o").unwrap_or(text), 8).ok(),
        _ => None,
    };
    match mode.filter(|mode| (0..=0o7777).contains(mode)) {
        Some(mode) => Ok((node, mode)),
        None => Err(fault(&node, path, "an octal mode such as \"0444\"")),
    }
}
