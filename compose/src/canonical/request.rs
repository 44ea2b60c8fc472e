//! Requests for devices, in `deploy.resources.reservations.devices` and `gpus`.

use crate::diagnostic::{Diagnostic, Fault};
use crate::forms;
use crate::yaml::{Node, Value};

/// Makes a list of the short `gpus: all`.
pub(super) fn all(node: Node) -> Node {
    if node.as_text().is_none() {
        return node;
    }
    let request = forms::long(node.clone(), "count");
    node.here(Value::List(vec![request]))
}

/// Fills in how many devices are wanted: all, unless their number or names are given.
pub(super) fn canonical(mut node: Node, path: &str) -> Result<Node, Fault> {
    let place = node.clone_place();
    let Some(map) = node.as_map_mut() else { return Ok(node) };
    match (map.entry("count"), map.entry("device_ids")) {
        (Some(count), Some(ids)) => {
            let fault = Diagnostic::error(format!("`{path}` has both `count` and `device_ids`")).at(&ids.at);
            Err(Box::new(fault.label(&count.at, "and here")))
        }
        (None, None) => {
            map.set("count", place.here(Value::Int(-1)));
            Ok(node)
        }
        _ => Ok(node),
    }
}
