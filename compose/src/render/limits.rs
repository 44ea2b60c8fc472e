//! Limits of zero, which the reference writes in a way of its own: in JSON it leaves every zero out, in YAML it writes the
//! short form long.

use crate::yaml::{Map, Node, Value};

/// Leaves zeros out: `0` becomes an empty mapping.
pub(super) fn without_zeros(document: &mut Node) {
    each(document, |limit| match &mut limit.value {
        Value::Int(0) => limit.value = Value::Map(Map::default()),
        Value::Map(map) => map.0.retain(|entry| entry.value.as_int() != Some(0)),
        _ => {}
    });
}

/// Writes `0` as a mapping.
pub(super) fn with_zeros(document: &mut Node) {
    each(document, |limit| {
        if limit.as_int() == Some(0) {
            let mut both = Map::default();
            ["soft", "hard"].into_iter().for_each(|key| both.set(key, limit.here(Value::Int(0))));
            limit.value = Value::Map(both);
        }
    });
}

fn each(document: &mut Node, change: impl Fn(&mut Node)) {
    for service in super::entries(document, "services").filter_map(|entry| entry.value.as_map_mut()) {
        service.get_mut("ulimits").into_iter().for_each(|limits| each_of(limits, &change));
        let build = service.get_mut("build").and_then(Node::as_map_mut).and_then(|build| build.get_mut("ulimits"));
        build.into_iter().for_each(|limits| each_of(limits, &change));
    }
}

fn each_of(limits: &mut Node, change: &impl Fn(&mut Node)) {
    limits.as_map_mut().into_iter().flat_map(|map| &mut map.0).for_each(|entry| change(&mut entry.value));
}
