//! Scalars: text that is a number, a truth, a size, a duration.

use std::ops::RangeInclusive;

use crate::diagnostic::{Diagnostic, Fault};
use crate::units;
use crate::yaml::{Node, Value};

fn fault(node: &Node, path: &str, expected: &str) -> Fault {
    let written = node.scalar_text().unwrap_or_default();
    Box::new(Diagnostic::error(format!("`{path}` must be {expected}, not `{written}`")).at(&node.span))
}

pub(super) fn integer(node: Node, path: &str) -> Result<Node, Fault> {
    whole(&node, i128::from(i64::MIN)..=i128::from(i64::MAX))
        .map(|value| node.here(Value::Int(value)))
        .ok_or_else(|| fault(&node, path, "a whole number"))
}

pub(super) fn natural(node: Node, path: &str) -> Result<Node, Fault> {
    whole(&node, 0..=i128::from(i64::MAX))
        .map(|value| node.here(Value::Int(value)))
        .ok_or_else(|| fault(&node, path, "a whole number from 0"))
}

pub(super) fn between(node: Node, bounds: RangeInclusive<i128>, path: &str) -> Result<Node, Fault> {
    let expected = format!("a whole number from {} to {}", bounds.start(), bounds.end());
    // Text of a whole number may have a fraction of zero.
    let fraction = node.as_text().and_then(|text| text.parse::<f64>().ok()).filter(|value| value.fract() == 0.0);
    let read = whole(&node, bounds.clone())
        .or_else(|| fraction.and_then(|value| whole(&node.here(Value::Float(value)), bounds)));
    read.map(|value| node.here(Value::Int(value))).ok_or_else(|| fault(&node, path, &expected))
}

/// Reads a whole number within `bounds`; a fraction is cut off.
fn whole(node: &Node, bounds: RangeInclusive<i128>) -> Option<i128> {
    let value = match &node.value {
        Value::Int(value) => Some(*value),
        #[expect(clippy::cast_possible_truncation, reason = "checked to be within the range")]
        Value::Float(value) if value.abs() < 9.2e18 => Some(*value as i128),
        Value::Text(text) => text.parse().ok(),
        _ => None,
    };
    value.filter(|value| bounds.contains(value))
}

pub(super) fn count(node: Node, path: &str) -> Result<Node, Fault> {
    let all = node.as_text().is_some_and(|text| text.eq_ignore_ascii_case("all"));
    if all { Ok(node.here(Value::Int(-1))) } else { integer(node, path) }
}

/// Reads a number of 32 bits, as the reference keeps it: written again, it has the digits that 32 bits need.
pub(super) fn number(node: Node, path: &str) -> Result<Node, Fault> {
    let value = match &node.value {
        Value::Int(_) => return Ok(node),
        Value::Float(value) => Some(*value),
        Value::Text(text) => text.parse::<f64>().ok().filter(|value| value.is_finite()),
        _ => None,
    };
    #[expect(clippy::cast_possible_truncation, reason = "the precision that is wanted")]
    let short = value.and_then(|value| (value as f32).to_string().parse().ok());
    short.map(|value| node.here(Value::Float(value))).ok_or_else(|| fault(&node, path, "a number"))
}

pub(super) fn boolean(node: Node, path: &str) -> Result<Node, Fault> {
    let value = match &node.value {
        Value::Bool(value) => Some(*value),
        Value::Text(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "y" | "on" => Some(true),
            "false" | "no" | "n" | "off" => Some(false),
            _ => None,
        },
        _ => None,
    };
    value.map(|value| node.here(Value::Bool(value))).ok_or_else(|| fault(&node, path, "true or false"))
}

/// Makes a text of the number of bytes; -1 stays, where it means without limit.
pub(super) fn size(node: Node, path: &str) -> Result<Node, Fault> {
    let bytes = match &node.value {
        Value::Int(value) => Some(value.to_string()),
        #[expect(clippy::cast_possible_truncation, reason = "checked to be within the range")]
        Value::Float(value) if *value >= 0.0 && *value < 9.2e18 => Some((*value as i128).to_string()),
        Value::Text(text) if text == "-1" => Some(text.clone()),
        Value::Text(text) => units::parse_size(text).map(|bytes| bytes.to_string()),
        _ => None,
    };
    bytes.map(|bytes| node.text_here(bytes)).ok_or_else(|| fault(&node, path, "a size such as 512m"))
}

/// Makes Go's text of a duration; the sign of a negative one stays, and is refused where it is to be waited for.
pub(super) fn duration(node: Node, path: &str) -> Result<Node, Fault> {
    let text = node.as_text().unwrap_or_default();
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => ("-", text),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    match units::parse_duration(text) {
        Some(duration) if duration.is_zero() => Ok(node.text_here("0s")),
        Some(duration) => Ok(node.text_here(format!("{sign}{}", units::format_duration(duration)))),
        None => Err(fault(&node, path, "a duration such as 1m30s")),
    }
}

/// Reads permission bits; text is octal, a number is what YAML made of it.
pub(super) fn octal(node: &Node, path: &str) -> Result<i128, Fault> {
    let mode = match &node.value {
        Value::Int(value) => Some(*value),
        Value::Text(text) => i128::from_str_radix(text, 8).ok(),
        _ => None,
    };
    mode.filter(|mode| *mode >= 0 && i64::try_from(*mode).is_ok())
        .ok_or_else(|| fault(node, path, "an octal mode such as \"0444\""))
}
