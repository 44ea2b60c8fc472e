//! `volumes` of a service: `[SOURCE:]TARGET[:OPTIONS]`, or a mapping.

use std::path::Path;

use crate::diagnostic::{Diagnostic, Fault};
use crate::paths;
use crate::schema::Shape;
use crate::yaml::{Map, Node, Value};

pub(super) fn canonical(node: Node, path: &str) -> Result<Node, Fault> {
    if let Some(text) = node.as_text() {
        let map = short(&node, text, path)?;
        return Ok(node.here(Value::Map(map)));
    }
    let Some(object) = Shape::Mount.object() else { return Ok(node) };
    let mut node = super::fields(node, object, path)?;
    if let Some(target) = node.text("target").map(clean) {
        let target = node.text_here(target);
        node.as_map_mut().into_iter().for_each(|map| map.set("target", target.clone()));
    }
    let bind = node.as_map_mut().and_then(|map| map.get_mut("bind")).and_then(Node::as_map_mut);
    if let Some(bind) = bind.filter(|bind| bind.get("create_host_path").and_then(Node::as_bool) == Some(true)) {
        // The default, which the reference leaves out too.
        bind.remove("create_host_path");
    }
    Ok(node)
}

fn short(node: &Node, text: &str, path: &str) -> Result<Map, Fault> {
    let parts = split(text);
    if parts.len() > 3 || parts.iter().any(|part| part.is_empty()) {
        let message = format!("`{path}` must be [SOURCE:]TARGET[:OPTIONS], not `{text}`");
        return Err(Box::new(Diagnostic::error(message).at(&node.span)));
    }
    let (source, target) = if parts.len() == 1 { (None, parts[0]) } else { (Some(parts[0]), parts[1]) };
    let is_bind = source.is_some_and(paths::is_host_path);
    let kind = if is_bind { "bind" } else { "volume" };
    let mut map = Map::default();
    map.set("type", node.text_here(kind));
    if let Some(source) = source {
        map.set("source", node.text_here(source));
    }
    map.set("target", node.text_here(clean(target)));
    // The reference leaves this out for targets of one letter, and only there.
    if text.len() > 2 {
        map.set(kind, node.here(Value::Map(Map::default())));
    }
    let options = parts.get(2).map(|options| options.split(',')).into_iter().flatten();
    for option in options {
        set_option(&mut map, node, option, path)?;
    }
    Ok(map)
}

fn set_option(map: &mut Map, node: &Node, option: &str, path: &str) -> Result<(), Fault> {
    let mut set = |section: &str, key: &str, value: Node| {
        if let Some(section) = map.get_mut(section).and_then(Node::as_map_mut) {
            section.set(key, value);
        }
    };
    match option {
        "ro" => map.set("read_only", node.here(Value::Bool(true))),
        // Words of other systems that mean nothing on Linux.
        "rw" | "cached" | "delegated" | "consistent" => {}
        "nocopy" => set("volume", "nocopy", node.here(Value::Bool(true))),
        "z" | "Z" => set("bind", "selinux", node.text_here(option)),
        "private" | "rprivate" | "shared" | "rshared" | "slave" | "rslave" => {
            set("bind", "propagation", node.text_here(option));
        }
        _ => {
            let fault = Diagnostic::error(format!("`{path}` has an unknown option `{option}`")).at(&node.span);
            let known = "known are ro, rw, nocopy, z, Z, [r]private, [r]shared, [r]slave";
            return Err(Box::new(fault.hint(known)));
        }
    }
    Ok(())
}

/// Splits at colons, except the one after a single letter: a Windows drive.
fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (index, _) in text.match_indices(':') {
        let part = &text[start..index];
        let is_drive = part.len() == 1 && part.starts_with(|c: char| c.is_ascii_alphabetic());
        if !is_drive {
            parts.push(part);
            start = index + 1;
        }
    }
    parts.push(&text[start..]);
    parts
}

fn clean(target: &str) -> String {
    if target.starts_with('/') {
        paths::clean(Path::new(target)).to_string_lossy().into_owned()
    } else {
        target.to_owned()
    }
}
