//! Whether the parts of a document fit each other.
//!
//! Runs in the command; pure. Looks at the canonical document of the enabled services: what refers to something finds it,
//! what contradicts itself is refused.

mod cycle;
mod objects;
mod references;
mod service;

use crate::diagnostic::Fault;
use crate::yaml::Node;

/// Checks the whole document; `disabled` are services that exist without taking part.
///
/// # Errors
/// The first contradiction, with its place.
pub(crate) fn check(document: &Node, disabled: &[String]) -> Result<(), Fault> {
    for entry in document.get("services").map_or(&[][..], Node::entries) {
        service::check(&entry.key, &entry.at, &entry.value)?;
        references::check(&entry.key, &entry.value, document, disabled)?;
    }
    service::container_names(document)?;
    objects::check(document)?;
    cycle::check(document)
}
