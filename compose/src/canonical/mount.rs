//! `volumes` of a service: `[SOURCE:]TARGET[:OPTIONS]`, or a mapping.

use crate::diagnostic::{Diagnostic, Fault};
use crate::paths;
use crate::yaml::{Map, Node, Value};

/// Makes the long form canonical.
pub(super) fn long(mut node: Node, path: &str) -> Result<Node, Fault> {
    let Some(target) = node.text("target").map(paths::lexical) else {
        return Err(Box::new(Diagnostic::error(format!("`{path}` lacks the key `target`")).at(&node.span)));
    };
    if node.text("type") == Some("bind") && node.get("source").is_none() {
        let fault = Diagnostic::error(format!("`{path}` is a bind mount and lacks the key `source`"));
        return Err(Box::new(fault.at(&node.span)));
    }
    let target = node.text_here(target);
    node.as_map_mut().into_iter().for_each(|map| map.set("target", target.clone()));
    let bind = node.as_map_mut().and_then(|map| map.get_mut("bind")).and_then(Node::as_map_mut);
    if let Some(bind) = bind.filter(|bind| bind.get("create_host_path").and_then(Node::as_bool) == Some(true)) {
        // The default, which the reference leaves out too.
        bind.remove("create_host_path");
    }
    Ok(node)
}

/// Takes the short notation apart.
pub(super) fn short(node: Node, path: &str) -> Result<Node, Fault> {
    let text = node.as_text().unwrap_or_default();
    let parts = split(text);
    if parts.len() > 3 || parts.iter().any(|part| part.is_empty()) {
        let message = format!("`{path}` must be [SOURCE:]TARGET[:OPTIONS], not `{text}`");
        return Err(Box::new(Diagnostic::error(message).at(&node.span)));
    }
    let (source, target) = if parts.len() == 1 { (None, parts[0]) } else { (Some(parts[0]), parts[1]) };
    let kind = if source.is_some_and(paths::is_host_path) { "bind" } else { "volume" };
    let mut map = Map::default();
    map.set("type", node.text_here(kind));
    if let Some(source) = source {
        map.set("source", node.text_here(source));
    }
    map.set("target", node.text_here(paths::lexical(target)));
    // The reference leaves this out for texts of one or two letters, and only there.
    if text.len() > 2 {
        map.set(kind, node.here(Value::Map(Map::default())));
    }
    let options = parts.get(2).map(|options| options.split(',')).into_iter().flatten();
    options.for_each(|option| set_option(&mut map, &node, option));
    Ok(node.here(Value::Map(map)))
}

/// Returns what is to be said of options that nobody knows: the reference passes over them.
pub(super) fn unknown_options(node: &Node, path: &str) -> Option<Diagnostic> {
    let parts = split(node.as_text().unwrap_or_default());
    let unknown = parts.get(2)?.split(',').find(|option| !KNOWN.contains(option))?;
    let warning = Diagnostic::warning(format!("`{path}` has the option `{unknown}`, which is passed over"));
    Some(warning.at(&node.span).hint(format!("known are {}", KNOWN.join(", "))))
}

/// Options of a mount; the words about consistency are those of other systems and mean nothing on Linux.
const KNOWN: [&str; 14] = [
    "ro",
    "rw",
    "nocopy",
    "z",
    "Z",
    "private",
    "rprivate",
    "shared",
    "rshared",
    "slave",
    "rslave",
    "cached",
    "delegated",
    "consistent",
];

/// Applies one option; the reference passes over those it does not know, and so does this.
fn set_option(map: &mut Map, node: &Node, option: &str) {
    let mut set = |section: &str, key: &str, value: Node| {
        if !map.contains(section) {
            map.set(section, node.here(Value::Map(Map::default())));
        }
        map.get_mut(section).and_then(Node::as_map_mut).into_iter().for_each(|section| section.set(key, value.clone()));
    };
    match option {
        "ro" => map.set("read_only", node.here(Value::Bool(true))),
        "rw" => _ = map.remove("read_only"),
        "nocopy" => set("volume", "nocopy", node.here(Value::Bool(true))),
        "z" | "Z" => set("bind", "selinux", node.text_here(option)),
        "private" | "rprivate" | "shared" | "rshared" | "slave" | "rslave" => {
            set("bind", "propagation", node.text_here(option));
        }
        _ => {}
    }
}

/// Splits at colons, except the one after a single letter, which is that of a Windows drive, and those within `${…}`,
/// where variables were not replaced.
fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut braces) = (0, 0usize);
    for (index, c) in text.char_indices() {
        match c {
            '{' if text[..index].ends_with('$') => braces += 1,
            '}' => braces = braces.saturating_sub(1),
            ':' if braces == 0 && !is_drive(&text[start..index]) => {
                parts.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn is_drive(part: &str) -> bool {
    part.chars().count() == 1 && part.starts_with(char::is_alphabetic)
}
