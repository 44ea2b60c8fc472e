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
    // How many needs of each name are still open, and who needs whom.
    let mut waiting: BTreeMap<&str, usize> = edges.keys().map(|name| (name.as_str(), 0)).collect();
    let mut needed_by: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, needs) in edges {
        for need in needs.iter().filter(|need| edges.contains_key(*need) && *need != name) {
            needed_by.entry(need).or_default().push(name);
            waiting.entry(name).and_modify(|open| *open += 1);
        }
    }
    let mut free: BTreeSet<&str> = waiting.iter().filter(|(_, open)| **open == 0).map(|(name, _)| *name).collect();
    let mut order = Vec::with_capacity(edges.len());
    while let Some(name) = free.pop_first().or_else(|| waiting.keys().next().copied()) {
        waiting.remove(name);
        for dependent in needed_by.get(name).into_iter().flatten() {
            let Some(open) = waiting.get_mut(dependent) else { continue };
            *open -= 1;
            if *open == 0 {
                free.insert(dependent);
            }
        }
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
