//! How many containers a service has, and how they are named.

use std::collections::HashMap;

use super::{conflict, field};
use crate::diagnostic::Diagnostic;
use crate::yaml::Node;

/// Checks the service `name`.
pub(super) fn check(name: &str, service: &Node, faults: &mut Vec<Diagnostic>) {
    let scale = field(service, "scale");
    let deployed = service.get("deploy").and_then(|deploy| field(deploy, "replicas"));
    if let (Some(scale), Some(deployed)) = (scale, deployed)
        && scale.value.as_int() != deployed.value.as_int()
    {
        let message = format!("service `{name}` has a `scale` that differs from `deploy.replicas`");
        faults.push(conflict(message, &deployed.at, &scale.at));
    }
    let Some(count) = scale.or(deployed) else { return };
    let replicas = count.value.as_int().unwrap_or(1);
    if !(0..=i128::from(u32::MAX)).contains(&replicas) {
        let fault = Diagnostic::error(format!("service `{name}` cannot have {replicas} containers"));
        faults.push(fault.at(&count.value.span));
    }
    if let Some(fixed) = field(service, "container_name").filter(|_| replicas > 1) {
        let message = format!("service `{name}` has a fixed `container_name` and {replicas} containers");
        faults.push(conflict(message, &count.at, &fixed.at));
    }
}

/// Two services cannot have one container name.
pub(super) fn container_names(document: &Node, faults: &mut Vec<Diagnostic>) {
    let mut seen = HashMap::new();
    for entry in document.get("services").map_or(&[][..], Node::entries) {
        let Some(name) = field(&entry.value, "container_name") else { continue };
        let text = name.value.as_text().unwrap_or_default();
        if let Some(first) = seen.insert(text, &name.value.span) {
            faults.push(conflict(format!("two services have the container name `{text}`"), first, &name.value.span));
        }
    }
}
