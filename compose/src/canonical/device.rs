//! `devices`: `SOURCE[:TARGET[:PERMISSIONS]]`, or a CDI name `vendor/class=name`.

use crate::diagnostic::{Diagnostic, Fault};
use crate::yaml::{Map, Node, Value};

/// Takes the short notation apart. What the permissions mean is found out when a container is made.
pub(super) fn short(node: Node, path: &str) -> Result<Node, Fault> {
    let parts: Vec<_> = node.as_text().unwrap_or_default().split(':').collect();
    let (source, target, permissions) = match parts.as_slice() {
        [source] => (*source, *source, "rwm"),
        [source, target] => (*source, *target, "rwm"),
        [source, target, permissions] => (*source, *target, *permissions),
        _ => {
            let message = format!("`{path}` must be SOURCE[:TARGET[:PERMISSIONS]], not `{}`", parts.join(":"));
            return Err(Box::new(Diagnostic::error(message).at(&node.span).hint("use the long form")));
        }
    };
    let target = if target.is_empty() { source } else { target };
    let mut map = Map::default();
    for (key, part) in [("source", source), ("target", target), ("permissions", permissions)] {
        if !part.is_empty() {
            map.set(key, node.text_here(part));
        }
    }
    Ok(node.here(Value::Map(map)))
}

/// Checks that the long form says where the device goes.
pub(super) fn long(node: Node, path: &str) -> Result<Node, Fault> {
    match node.get("target") {
        Some(_) => Ok(node),
        None => Err(Box::new(Diagnostic::error(format!("`{path}` lacks the key `target`")).at(&node.span))),
    }
}
