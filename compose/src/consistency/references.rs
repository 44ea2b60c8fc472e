//! What a service names must exist.

use crate::diagnostic::{Diagnostic, Fault, Span};
use crate::yaml::Node;

/// Checks everything that the service `name` refers to.
pub(super) fn check(name: &str, service: &Node, document: &Node, disabled: &[String]) -> Result<(), Fault> {
    for dependency in service.get("depends_on").map_or(&[][..], Node::entries) {
        let required = dependency.value.get("required").and_then(Node::as_bool).unwrap_or(true);
        if required {
            check_service(name, &dependency.key, &dependency.at, document, disabled)?;
        }
    }
    for network in service.get("networks").map_or(&[][..], Node::entries) {
        check_object(name, "network", &network.key, &network.at, document)?;
    }
    for volume in service.get("volumes").map_or(&[][..], Node::items) {
        if let Some(source) = volume.get("source").filter(|_| volume.text("type") == Some("volume")) {
            check_object(name, "volume", source.as_text().unwrap_or_default(), &source.span, document)?;
        }
    }
    for kind in ["config", "secret"] {
        let own = service.get(&format!("{kind}s")).map_or(&[][..], Node::items);
        let of_build =
            service.get("build").and_then(|build| build.get(&format!("{kind}s"))).map_or(&[][..], Node::items);
        for grant in own.iter().chain(of_build) {
            let Some(source) = grant.get("source") else {
                let fault = Diagnostic::error(format!("a {kind} of service `{name}` lacks the key `source`"));
                return Err(Box::new(fault.at(&grant.span)));
            };
            check_object(name, kind, source.as_text().unwrap_or_default(), &source.span, document)?;
        }
    }
    Ok(())
}

fn check_service(name: &str, dependency: &str, at: &Span, document: &Node, disabled: &[String]) -> Result<(), Fault> {
    if document.get("services").is_some_and(|services| services.get(dependency).is_some()) {
        return Ok(());
    }
    if disabled.iter().any(|other| other == dependency) {
        let fault =
            Diagnostic::error(format!("service `{name}` depends on `{dependency}`, which no active profile enables"));
        return Err(Box::new(fault.at(at).hint("activate its profile with --profile, or set `required: false`")));
    }
    Err(Box::new(Diagnostic::error(format!("service `{name}` depends on undefined service `{dependency}`")).at(at)))
}

fn check_object(name: &str, kind: &str, key: &str, at: &Span, document: &Node) -> Result<(), Fault> {
    let section = format!("{kind}s");
    if document.get(&section).is_some_and(|objects| objects.get(key).is_some()) {
        return Ok(());
    }
    let fault = Diagnostic::error(format!("service `{name}` refers to undefined {kind} `{key}`")).at(at);
    Err(Box::new(fault.hint(format!("declare it under the top-level `{section}`"))))
}
