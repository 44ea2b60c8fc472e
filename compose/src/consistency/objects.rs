//! Networks, volumes, configs and secrets, each for itself.

use super::conflict;
use crate::diagnostic::Diagnostic;
use crate::yaml::{Entry, Node};

/// Checks the top-level objects.
pub(super) fn check(document: &Node, faults: &mut Vec<Diagnostic>) {
    for entry in document.get("volumes").map_or(&[][..], Node::entries) {
        external_volume(entry, faults);
    }
    for entry in document.get("configs").map_or(&[][..], Node::entries) {
        content(entry, "configs", &["file", "environment", "content"], faults);
    }
    for entry in document.get("secrets").map_or(&[][..], Node::entries) {
        content(entry, "secrets", &["file", "environment"], faults);
    }
}

/// A volume that somebody else makes is described by nobody but them.
fn external_volume(entry: &Entry, faults: &mut Vec<Diagnostic>) {
    let Some(external) = entry.value.as_map().and_then(|map| map.entry("external")) else { return };
    if external.value.as_bool() != Some(true) {
        return;
    }
    let own = |field: &&Entry| !matches!(field.key.as_str(), "name" | "external") && !field.key.starts_with("x-");
    for field in entry.value.entries().iter().filter(own) {
        let message = format!("`volumes.{}` is external and has its own `{}`", entry.key, field.key);
        faults.push(conflict(message, &external.at, &field.at));
    }
}

/// A config or a secret has one content, or gets it elsewhere.
fn content(entry: &Entry, section: &str, sources: &[&str], faults: &mut Vec<Diagnostic>) {
    let path = format!("{section}.{}", entry.key);
    let given: Vec<_> = entry.value.entries().iter().filter(|field| sources.contains(&field.key.as_str())).collect();
    let elsewhere = entry.value.get("external").is_some() || entry.value.get("driver").is_some();
    match given.as_slice() {
        [] if !elsewhere => {
            let one_of = sources.iter().map(|source| format!("`{source}`")).collect::<Vec<_>>().join(", ");
            let fault = Diagnostic::error(format!("`{path}` has no content: give one of {one_of} or `external`"));
            faults.push(fault.at(&entry.at));
        }
        [first, second, ..] => {
            let fault = Diagnostic::error(format!("`{path}` has both `{}` and `{}`", first.key, second.key));
            faults.push(fault.at(&second.at).label(&first.at, "first content here"));
        }
        _ => {}
    }
}
