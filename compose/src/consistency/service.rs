//! A service for itself: attributes that need or exclude each other.

use super::{conflict, field};
use crate::diagnostic::{Diagnostic, Span};
use crate::yaml::Node;

/// Checks the service `name`, whose key stands at `at`.
pub(super) fn check(name: &str, at: &Span, service: &Node, faults: &mut Vec<Diagnostic>) {
    if ["image", "build", "provider"].iter().all(|key| service.get(key).is_none()) {
        faults.push(Diagnostic::error(format!("service `{name}` has neither `image` nor `build`")).at(at));
    }
    build(name, service, faults);
    network_mode(name, service, faults);
    limits(name, service, faults);
    healthcheck(name, service, faults);
    hooks(name, service, faults);
    watch(name, service, faults);
}

fn build(name: &str, service: &Node, faults: &mut Vec<Diagnostic>) {
    let Some(build) = service.get("build") else { return };
    if let (Some(file), Some(inline)) = (field(build, "dockerfile"), field(build, "dockerfile_inline")) {
        let message = format!("service `{name}` has both `build.dockerfile` and `build.dockerfile_inline`");
        faults.push(conflict(message, &file.at, &inline.at));
    }
    let platforms = build.get("platforms").map_or(&[][..], Node::items);
    let Some(platform) = service.get("platform").filter(|_| !platforms.is_empty()) else { return };
    if !platforms.iter().any(|other| other.as_text() == platform.as_text()) {
        let word = platform.as_text().unwrap_or_default();
        let fault = Diagnostic::error(format!("platform `{word}` of service `{name}` is not in `build.platforms`"));
        faults.push(fault.at(&platform.span));
    }
}

fn network_mode(name: &str, service: &Node, faults: &mut Vec<Diagnostic>) {
    if let (Some(mode), Some(networks)) = (field(service, "network_mode"), field(service, "networks"))
        && !networks.value.entries().is_empty()
    {
        let message = format!("service `{name}` has both `network_mode` and `networks`");
        faults.push(conflict(message, &networks.at, &mode.at));
    }
}

/// Limits given at the service and in `deploy` must agree. A group in `deploy` that does not give the limit means none,
/// which agrees with nothing but none.
fn limits(name: &str, service: &Node, faults: &mut Vec<Diagnostic>) {
    let resources = service.get("deploy").and_then(|deploy| deploy.get("resources"));
    let pairs = [
        ("cpus", "limits", "cpus"),
        ("mem_limit", "limits", "memory"),
        ("pids_limit", "limits", "pids"),
        ("mem_reservation", "reservations", "memory"),
    ];
    for (key, group, deployed) in pairs {
        let there = resources.and_then(|resources| field(resources, group));
        let (Some(here), Some(there)) = (field(service, key), there) else { continue };
        let limit = there.value.get(deployed).and_then(Node::scalar_text);
        if here.value.scalar_text() != limit {
            let message =
                format!("service `{name}` has a `{key}` that differs from `deploy.resources.{group}.{deployed}`");
            let place = field(&there.value, deployed).map_or(&there.at, |limit| &limit.at);
            faults.push(conflict(message, place, &here.at));
        }
    }
}

fn healthcheck(name: &str, service: &Node, faults: &mut Vec<Diagnostic>) {
    let Some(check) = service.get("healthcheck") else { return };
    if let (Some(interval), None) = (field(check, "start_interval"), check.get("start_period")) {
        let message = format!("the healthcheck of service `{name}` has `start_interval` without `start_period`");
        faults.push(Diagnostic::error(message).at(&interval.at));
    }
}

fn hooks(name: &str, service: &Node, faults: &mut Vec<Diagnostic>) {
    for hook in service.get("pre_start").map_or(&[][..], Node::items) {
        if let Some(field) = field(hook, "per_replica").filter(|field| field.value.as_bool() == Some(true)) {
            let message = format!("service `{name}` has `pre_start.per_replica`, which Compose does not have yet");
            faults.push(Diagnostic::error(message).at(&field.at));
        }
    }
}

fn watch(name: &str, service: &Node, faults: &mut Vec<Diagnostic>) {
    let rules = service.get("develop").and_then(|develop| develop.get("watch")).map_or(&[][..], Node::items);
    for rule in rules {
        let action = rule.text("action").unwrap_or_default();
        if !matches!(action, "rebuild" | "restart") && rule.get("target").is_none() {
            let message = format!("a watch rule of service `{name}` with the action `{action}` lacks the key `target`");
            faults.push(Diagnostic::error(message).at(&rule.span));
        }
        if action == "rebuild" && service.get("build").is_none() {
            let message = format!("a watch rule of service `{name}` rebuilds, and the service has no `build`");
            faults.push(Diagnostic::error(message).at(&rule.span));
        }
        if rule.text("path") == Some("") {
            let message = format!("a watch rule of service `{name}` has an empty `path`");
            faults.push(Diagnostic::error(message).at(&rule.span));
        }
    }
}
