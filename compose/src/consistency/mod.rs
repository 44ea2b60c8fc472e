//! Whether the parts of a document fit each other.
//!
//! Runs in the command; pure. Looks at the canonical document of the enabled services: what refers to something finds it,
//! what contradicts itself is refused.

mod cycle;
mod mounts;
mod objects;
mod references;
mod replicas;
mod service;

use crate::diagnostic::{Diagnostic, Faults, Span};
use crate::yaml::{Entry, Node};

/// Checks the whole document; `disabled` are services that exist without taking part.
///
/// # Errors
/// Every contradiction, with its places.
pub(crate) fn check(document: &Node, disabled: &[String]) -> Result<(), Faults> {
    let mut faults = Vec::new();
    let known = references::Known::new(document, disabled);
    for entry in document.get("services").map_or(&[][..], Node::entries) {
        service::check(&entry.key, &entry.at, &entry.value, &mut faults);
        replicas::check(&entry.key, &entry.value, &mut faults);
        mounts::check(&entry.key, &entry.value, &mut faults);
        references::check(&entry.key, &entry.value, &known, &mut faults);
    }
    replicas::container_names(document, &mut faults);
    objects::check(document, &mut faults);
    // What depends on something unknown was named above, and is no cycle.
    if let Err(fault) = cycle::check(document) {
        faults.push(*fault);
    }
    Faults::of(faults)
}

/// Returns a field with the place of its key.
fn field<'a>(node: &'a Node, key: &str) -> Option<&'a Entry> {
    node.as_map()?.entry(key)
}

/// Two places that contradict each other.
fn conflict(message: String, first: &Span, second: &Span) -> Diagnostic {
    Diagnostic::error(message).at(second).label(first, "and here")
}
