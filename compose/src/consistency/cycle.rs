//! Services that wait for each other.

use std::collections::{BTreeMap, HashMap};

use crate::diagnostic::{Diagnostic, Fault};
use crate::yaml::{Entry, Node};

/// Finds a cycle of dependencies.
///
/// # Errors
/// The cycle, from its first service by name back to it.
pub(super) fn check(document: &Node) -> Result<(), Fault> {
    let services = document.get("services").map_or(&[][..], Node::entries);
    let waiting: BTreeMap<&str, &[Entry]> =
        services.iter().map(|entry| (entry.key.as_str(), dependencies(&entry.value))).collect();
    let left = never_free(&waiting);
    match waiting.keys().find(|name| left.contains_key(*name)) {
        Some(first) => Err(cycle(&walk(first, &left))),
        None => Ok(()),
    }
}

fn dependencies(service: &Node) -> &[Entry] {
    service.get("depends_on").map_or(&[][..], Node::entries)
}

/// Returns the services that wait in a circle or for one, with the dependencies that keep them: what is left when those
/// that wait for nobody are taken away, again and again.
fn never_free<'a>(waiting: &BTreeMap<&'a str, &'a [Entry]>) -> HashMap<&'a str, Vec<&'a Entry>> {
    let known = |entry: &&Entry| waiting.contains_key(entry.key.as_str());
    let mut counts: HashMap<&str, usize> =
        waiting.iter().map(|(name, on)| (*name, on.iter().filter(known).count())).collect();
    let mut waiters: HashMap<&str, Vec<&str>> = HashMap::new();
    for (name, on) in waiting {
        on.iter().filter(known).for_each(|entry| waiters.entry(&entry.key).or_default().push(name));
    }
    let mut free: Vec<&str> = counts.iter().filter(|(_, count)| **count == 0).map(|(name, _)| *name).collect();
    while let Some(name) = free.pop() {
        counts.remove(name);
        for waiter in waiters.remove(name).unwrap_or_default() {
            if let Some(count) = counts.get_mut(waiter) {
                *count -= 1;
                if *count == 0 {
                    free.push(waiter);
                }
            }
        }
    }
    let keeping = |name: &str| waiting[name].iter().filter(|entry| counts.contains_key(entry.key.as_str())).collect();
    counts.keys().map(|name| (*name, keeping(name))).collect()
}

/// Follows the first dependency of each until a service comes again, and returns that circle.
fn walk<'a>(start: &'a str, left: &HashMap<&'a str, Vec<&'a Entry>>) -> Vec<(&'a str, &'a Entry)> {
    let mut trail: Vec<(&str, &Entry)> = Vec::new();
    let mut places = HashMap::new();
    let mut name = start;
    while let Some(next) = left.get(name).and_then(|on| on.first()) {
        if let Some(again) = places.insert(name, trail.len()) {
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
