//! `devices`: `SOURCE[:TARGET[:PERMISSIONS]]`, or a CDI name `vendor/class=name`.

use crate::diagnostic::{Diagnostic, Fault};
use crate::schema::Shape;
use crate::yaml::{Map, Node, Value};

pub(super) fn canonical(node: Node, path: &str) -> Result<Node, Fault> {
    let mut map = match &node.value {
        Value::Text(text) => short(&node, text, path)?,
        _ => match Shape::Device.object().map(|object| super::fields(node.clone(), object, path)).transpose()? {
            Some(Node { value: Value::Map(map), .. }) => map,
            _ => return Ok(node),
        },
    };
    if !map.contains("target")
        && let Some(source) = map.get("source").cloned()
    {
        map.set("target", source);
    }
    if !map.contains("permissions") {
        map.set("permissions", node.text_here("rwm"));
    }
    let permissions = map.get("permissions").and_then(Node::as_text).unwrap_or_default();
    if permissions.is_empty() || !permissions.chars().all(|letter| "rwm".contains(letter)) {
        let fault = Diagnostic::error(format!("`{path}` has the permissions `{permissions}`, not letters of `rwm`"));
        return Err(Box::new(fault.at(&node.span)));
    }
    Ok(node.here(Value::Map(map)))
}

fn short(node: &Node, text: &str, path: &str) -> Result<Map, Fault> {
    let parts: Vec<_> = text.split(':').collect();
    if parts.len() > 3 || parts.iter().any(|part| part.is_empty()) {
        let message = format!("`{path}` must be SOURCE[:TARGET[:PERMISSIONS]], not `{text}`");
        return Err(Box::new(Diagnostic::error(message).at(&node.span)));
    }
    let mut map = Map::default();
    for (key, part) in ["source", "target", "permissions"].into_iter().zip(parts) {
        map.set(key, node.text_here(part));
    }
    Ok(map)
}
