//! What a document asks for that lighter cannot do.

use super::shape::{Object, Shape, Support};
use crate::diagnostic::Diagnostic;
use crate::yaml::{Node, Value};

/// Collects the attributes of `node` that are marked as not supported, by name and place.
pub(crate) fn refusals(node: &Node, shape: &Shape, path: &str, found: &mut Vec<Diagnostic>) {
    match (shape, &node.value) {
        (Shape::List(item, _), Value::List(items)) => {
            items.iter().for_each(|value| refusals(value, item, path, found));
        }
        (Shape::Named(item) | Shape::NamesOr(item), Value::Map(map)) => {
            map.0.iter().for_each(|entry| refusals(&entry.value, item, &format!("{path}.{}", entry.key), found));
        }
        (Shape::Duration, Value::Text(text)) if text.starts_with('-') => {
            found.push(Diagnostic::error(format!("`{path}` cannot be negative: `{text}`")).at(&node.span));
        }
        // -1 is no limit.
        (Shape::Size(_), Value::Text(text)) if text.starts_with('-') && text != "-1" => {
            found.push(Diagnostic::error(format!("`{path}` cannot be negative: `{text}`")).at(&node.span));
        }
        (shape, Value::Map(_)) => {
            if let Some(fields) = shape.object() {
                object(node, fields, path, found);
            }
        }
        _ => {}
    }
}

fn object(node: &Node, object: &Object, path: &str, found: &mut Vec<Diagnostic>) {
    for entry in node.entries() {
        let Some(field) = object.field(&entry.key) else { continue };
        let path = if path.is_empty() { entry.key.clone() } else { format!("{path}.{}", entry.key) };
        match field.support {
            Support::No => {
                found.push(Diagnostic::error(format!("`{path}` is not supported by lighter yet")).at(&entry.at));
            }
            Support::Yes => refusals(&entry.value, &field.shape, &path, found),
            Support::Meaningless(_) => {}
        }
    }
}
