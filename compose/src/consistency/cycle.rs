//! Services that wait for each other.

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, Fault};
use crate::yaml::{Entry, Node};

/// Finds a cycle of dependencies.
///
/// # Errors
/// The cycle, from its first service by name back to it.
pub(super) fn check(document: &Node) -> Result<(), Fault> {
    let services = document.get("services").map_or(&[][..], Node::entries);
    let mut waiting: BTreeMap<&str, Vec<&Entry>> =
        services.iter().map(|entry| (entry.key.as_str(), dependencies(&entry.value))).collect();
    // Without those that wait for nobody, again and again, what remains waits in circles or for one.
    loop {
        let free: Vec<&str> = waiting.iter().filter(|(_, on)| on.is_empty()).map(|(name, _)| *name).collect();
        free.iter().for_each(|name| drop(waiting.remove(name)));
        let left = waiting.clone();
        let before: usize = waiting.values().map(Vec::len).sum();
        waiting.values_mut().for_each(|on| on.retain(|entry| left.contains_key(entry.key.as_str())));
        let after: usize = waiting.values().map(Vec::len).sum();
        if free.is_empty() && before == after {
            break;
        }
    }
    match waiting.keys().next() {
        Some(first) => Err(cycle(&walk(first, &waiting))),
        None => Ok(()),
    }
}

fn dependencies(service: &Node) -> Vec<&Entry> {
    service.get("depends_on").map_or(&[][..], Node::entries).iter().collect()
}

/// Follows the first dependency of each until a service comes again, and returns that circle.
fn walk<'a>(start: &'a str, waiting: &BTreeMap<&'a str, Vec<&'a Entry>>) -> Vec<(&'a str, &'a Entry)> {
    let mut trail: Vec<(&str, &Entry)> = Vec::new();
    let mut name = start;
    while let Some(next) = waiting.get(name).and_then(|on| on.first()) {
        if let Some(again) = trail.iter().position(|(other, _)| *other == name) {
            return trail.split_off(again);
        }
        trail.push((name, next));
        name = &next.key;
    }
    trail
}

fn cycle(trail: &[(&str, &Entry)]) -> Fault {
    let names = trail.iter().chain(trail.first()).map(|(name, _)| *name).collect::<Vec<_>>().join(" → ");
    let fault = Diagnostic::error(format!("services depend on each other: {names}"));
    Box::new(
        trail
            .iter()
            .fold(fault, |fault, (name, entry)| fault.label(&entry.at, format!("`{name}` waits for `{}`", entry.key))),
    )
}
