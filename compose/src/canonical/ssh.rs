//! `build.ssh`: `default`, or `ID=PATH` for an agent's socket or a key.

use crate::diagnostic::{Diagnostic, Fault};
use crate::yaml::{Node, Value};

/// Makes a list of `default` and `ID=PATH`.
pub(super) fn canonical(node: Node, path: &str) -> Result<Node, Fault> {
    let items = match &node.value {
        Value::Map(map) => {
            let pair = |id: &str, value: Option<String>| match value.filter(|path| !path.is_empty()) {
                Some(path) => format!("{id}={path}"),
                None => id.to_owned(),
            };
            map.0.iter().map(|entry| entry.value.text_here(pair(&entry.key, entry.value.scalar_text()))).collect()
        }
        Value::List(items) => items.iter().map(|item| id(item, path)).collect::<Result<_, _>>()?,
        _ => return Ok(node),
    };
    Ok(node.here(Value::List(items)))
}

fn id(item: &Node, path: &str) -> Result<Node, Fault> {
    let text = item.as_text().unwrap_or_default();
    if text == "default" || text.contains('=') {
        return Ok(item.clone());
    }
    let fault = Diagnostic::error(format!("`{path}` must be `default` or ID=PATH, not `{text}`")).at(&item.span);
    Err(Box::new(fault))
}
