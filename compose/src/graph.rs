//! The order of services: who is started before whom.
//!
//! Runs in the command; pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::Service;

/// Returns the services in an order in which each comes after what it depends on, equals by name.
///
/// Dependencies outside of `services` are left out. A loaded project has no cycle, so every service is in the result.
pub fn start_order(services: &BTreeMap<String, Service>) -> Vec<&str> {
    let dependencies = |service: &Service| service.depends_on.keys().cloned().collect();
    let edges = services.iter().map(|(name, service)| (name.clone(), dependencies(service))).collect();
    let order = order(&edges);
    order.iter().filter_map(|name| services.get_key_value(name).map(|(name, _)| name.as_str())).collect()
}

/// Orders names so that each comes after those it needs, equals by name; names within a cycle come last, by name.
///
/// The cycle can only come from labels of containers whose projects have changed in between.
pub fn order(edges: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut waiting: BTreeMap<&str, BTreeSet<&str>> = edges
        .iter()
        .map(|(name, needs)| {
            let known = needs.iter().filter(|need| edges.contains_key(*need) && *need != name);
            (name.as_str(), known.map(String::as_str).collect())
        })
        .collect();
    let mut order: Vec<String> = Vec::with_capacity(edges.len());
    while !waiting.is_empty() {
        let free = waiting.iter().find(|(_, needs)| needs.is_empty()).or_else(|| waiting.iter().next());
        let Some(name) = free.map(|(name, _)| *name) else { break };
        waiting.remove(name);
        waiting.values_mut().for_each(|needs| {
            needs.remove(name);
        });
        order.push(name.to_owned());
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(text: &str) -> BTreeMap<String, BTreeSet<String>> {
        text.split_whitespace()
            .map(|part| {
                let (name, needs) = part.split_once(':').unwrap_or((part, ""));
                (name.to_owned(), needs.split(',').filter(|need| !need.is_empty()).map(str::to_owned).collect())
            })
            .collect()
    }

    #[test]
    fn dependencies_come_first_and_equals_by_name() {
        assert_eq!(order(&edges("web:db,cache db cache:db a")), ["a", "db", "cache", "web"]);
        assert_eq!(order(&edges("b:gone a:b")), ["b", "a"]);
        assert_eq!(order(&edges("a:b b:a c")), ["c", "a", "b"]);
    }
}
