//! A service for itself: attributes that need or exclude each other.

use crate::diagnostic::{Diagnostic, Fault, Span};
use crate::yaml::{Entry, Node};

/// Checks the service `name`, whose key stands at `at`.
pub(super) fn check(name: &str, at: &Span, service: &Node) -> Result<(), Fault> {
    makes_a_container(name, at, service)?;
    build(name, service)?;
    network_mode(name, service)?;
    replicas(name, service)?;
    limits(name, service)?;
    healthcheck(name, service)?;
    mounts(name, service)?;
    expose(name, service)?;
    watch(name, service)
}

fn field<'a>(node: &'a Node, key: &str) -> Option<&'a Entry> {
    node.as_map()?.entry(key)
}

fn conflict(message: String, first: &Span, second: &Span) -> Fault {
    Box::new(Diagnostic::error(message).at(second).label(first, "and here"))
}

fn makes_a_container(name: &str, at: &Span, service: &Node) -> Result<(), Fault> {
    if ["image", "build", "provider"].iter().any(|key| service.get(key).is_some()) {
        return Ok(());
    }
    Err(Box::new(Diagnostic::error(format!("service `{name}` has neither `image` nor `build`")).at(at)))
}

fn build(name: &str, service: &Node) -> Result<(), Fault> {
    let Some(build) = service.get("build") else { return Ok(()) };
    if let (Some(file), Some(inline)) = (field(build, "dockerfile"), field(build, "dockerfile_inline")) {
        let message = format!("service `{name}` has both `build.dockerfile` and `build.dockerfile_inline`");
        return Err(conflict(message, &file.at, &inline.at));
    }
    let platforms = build.get("platforms").map_or(&[][..], Node::items);
    let Some(platform) = service.get("platform").filter(|_| !platforms.is_empty()) else { return Ok(()) };
    if platforms.iter().any(|other| other.as_text() == platform.as_text()) {
        return Ok(());
    }
    let word = platform.as_text().unwrap_or_default();
    let fault = Diagnostic::error(format!("platform `{word}` of service `{name}` is not in `build.platforms`"));
    Err(Box::new(fault.at(&platform.span)))
}

fn network_mode(name: &str, service: &Node) -> Result<(), Fault> {
    match (field(service, "network_mode"), field(service, "networks")) {
        (Some(mode), Some(networks)) if !networks.value.entries().is_empty() => {
            let message = format!("service `{name}` has both `network_mode` and `networks`");
            Err(conflict(message, &networks.at, &mode.at))
        }
        _ => Ok(()),
    }
}

fn replicas(name: &str, service: &Node) -> Result<(), Fault> {
    let scale = field(service, "scale");
    let deployed = service.get("deploy").and_then(|deploy| field(deploy, "replicas"));
    if let (Some(scale), Some(deployed)) = (scale, deployed)
        && scale.value.as_int() != deployed.value.as_int()
    {
        let message = format!("service `{name}` has a `scale` that differs from `deploy.replicas`");
        return Err(conflict(message, &deployed.at, &scale.at));
    }
    let Some(count) = scale.or(deployed) else { return Ok(()) };
    let replicas = count.value.as_int().unwrap_or(1);
    if !(0..=i128::from(u32::MAX)).contains(&replicas) {
        let fault = Diagnostic::error(format!("service `{name}` cannot have {replicas} containers"));
        return Err(Box::new(fault.at(&count.value.span)));
    }
    match field(service, "container_name") {
        Some(fixed) if replicas > 1 => {
            let message = format!("service `{name}` has a fixed `container_name` and {replicas} containers");
            Err(conflict(message, &count.at, &fixed.at))
        }
        _ => Ok(()),
    }
}

/// Limits given at the service and in `deploy` must agree.
fn limits(name: &str, service: &Node) -> Result<(), Fault> {
    let resources = service.get("deploy").and_then(|deploy| deploy.get("resources"));
    let pairs = [
        ("cpus", "limits", "cpus"),
        ("mem_limit", "limits", "memory"),
        ("pids_limit", "limits", "pids"),
        ("mem_reservation", "reservations", "memory"),
    ];
    for (key, group, deployed) in pairs {
        let there = resources.and_then(|resources| resources.get(group)).and_then(|group| field(group, deployed));
        let (Some(here), Some(there)) = (field(service, key), there) else { continue };
        if here.value.scalar_text() != there.value.scalar_text() {
            let message =
                format!("service `{name}` has a `{key}` that differs from `deploy.resources.{group}.{deployed}`");
            return Err(conflict(message, &there.at, &here.at));
        }
    }
    Ok(())
}

fn healthcheck(name: &str, service: &Node) -> Result<(), Fault> {
    let Some(check) = service.get("healthcheck") else { return Ok(()) };
    match (field(check, "start_interval"), check.get("start_period")) {
        (Some(interval), None) => {
            let message = format!("the healthcheck of service `{name}` has `start_interval` without `start_period`");
            Err(Box::new(Diagnostic::error(message).at(&interval.at)))
        }
        _ => Ok(()),
    }
}

/// A place in the container is one mount or one tmpfs.
fn mounts(name: &str, service: &Node) -> Result<(), Fault> {
    for volume in service.get("volumes").map_or(&[][..], Node::items) {
        let Some(target) = volume.get("target") else {
            let fault = Diagnostic::error(format!("a volume of service `{name}` lacks the key `target`"));
            return Err(Box::new(fault.at(&volume.span)));
        };
        let source_needed = matches!(volume.text("type"), Some("bind" | "image"));
        if source_needed && volume.get("source").is_none() {
            let fault = Diagnostic::error(format!("a volume of service `{name}` lacks the key `source`"));
            return Err(Box::new(fault.at(&volume.span)));
        }
        let path = |tmpfs: &&Node| tmpfs.as_text().and_then(|text| text.split(':').next()) == target.as_text();
        if let Some(tmpfs) = service.get("tmpfs").map_or(&[][..], Node::items).iter().find(path) {
            let place = target.as_text().unwrap_or_default();
            let message = format!("service `{name}` has both a volume and a tmpfs at `{place}`");
            return Err(conflict(message, &target.span, &tmpfs.span));
        }
    }
    Ok(())
}

fn expose(name: &str, service: &Node) -> Result<(), Fault> {
    for item in service.get("expose").map_or(&[][..], Node::items) {
        let text = item.as_text().unwrap_or_default();
        let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        if crate::canonical::port_range(ports).is_none() || crate::model::Protocol::from_word(protocol).is_none() {
            let message = format!("service `{name}` exposes `{text}`, which is no port or range of ports");
            return Err(Box::new(Diagnostic::error(message).at(&item.span)));
        }
    }
    Ok(())
}

fn watch(name: &str, service: &Node) -> Result<(), Fault> {
    let rules = service.get("develop").and_then(|develop| develop.get("watch")).map_or(&[][..], Node::items);
    for rule in rules {
        let action = rule.text("action").unwrap_or_default();
        if !matches!(action, "rebuild" | "restart") && rule.get("target").is_none() {
            let message = format!("a watch rule of service `{name}` with the action `{action}` lacks the key `target`");
            return Err(Box::new(Diagnostic::error(message).at(&rule.span)));
        }
        if action == "rebuild" && service.get("build").is_none() {
            let message = format!("a watch rule of service `{name}` rebuilds, and the service has no `build`");
            return Err(Box::new(Diagnostic::error(message).at(&rule.span)));
        }
    }
    Ok(())
}

/// Two services cannot have one container name.
pub(super) fn container_names(document: &Node) -> Result<(), Fault> {
    let mut seen: Vec<(&str, &Span)> = Vec::new();
    for entry in document.get("services").map_or(&[][..], Node::entries) {
        let Some(name) = field(&entry.value, "container_name") else { continue };
        let text = name.value.as_text().unwrap_or_default();
        if let Some((_, first)) = seen.iter().find(|(other, _)| *other == text) {
            return Err(conflict(format!("two services have the container name `{text}`"), first, &name.value.span));
        }
        seen.push((text, &name.value.span));
    }
    Ok(())
}
