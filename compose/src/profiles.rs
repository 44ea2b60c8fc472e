//! Which services take part.
//!
//! Runs in the command; pure.

use crate::source::{Environment, Source};
use crate::yaml::{Node, Value};

/// Returns the active profiles: of the command line, else of `COMPOSE_PROFILES`.
pub(crate) fn active(source: &Source, variables: &Environment) -> Vec<String> {
    if !source.profiles.is_empty() {
        return source.profiles.clone();
    }
    let listed = variables.get("COMPOSE_PROFILES").map_or("", String::as_str);
    listed.split(',').map(str::trim).filter(|profile| !profile.is_empty()).map(str::to_owned).collect()
}

/// Returns every profile that a service names, sorted.
pub(crate) fn all(document: &Node) -> Vec<String> {
    let services = document.get("services").map_or(&[][..], Node::entries).iter();
    let items = services.flat_map(|service| service.value.get("profiles").map_or(&[][..], Node::items));
    let names: std::collections::BTreeSet<_> = items.filter_map(Node::as_text).collect();
    names.into_iter().map(str::to_owned).collect()
}

/// Takes out the services that no active profile enables, and returns their names.
///
/// A service without profiles is always enabled; `*` enables every service; a service that is named on the command line
/// brings its own profiles with it (Compose Specification, 15-profiles).
pub(crate) fn select(document: &mut Node, active: &[String], named: &[String]) -> Vec<String> {
    let services = document.as_map_mut().and_then(|map| map.get_mut("services"));
    let Some(Value::Map(services)) = services.map(|services| &mut services.value) else { return Vec::new() };
    let profiles = |service: &Node| -> Vec<String> {
        let items = service.get("profiles").map_or(&[][..], Node::items);
        items.iter().filter_map(Node::as_text).map(str::to_owned).collect()
    };
    let brought = named.iter().filter_map(|name| services.get(name)).flat_map(profiles);
    let active: Vec<String> = active.iter().cloned().chain(brought).collect();
    let enabled = |service: &Node| {
        let own = profiles(service);
        own.is_empty() || active.iter().any(|name| name == "*" || own.contains(name))
    };
    let disabled = services.0.iter().filter(|entry| !enabled(&entry.value)).map(|entry| entry.key.clone()).collect();
    services.0.retain(|entry| enabled(&entry.value));
    disabled
}
