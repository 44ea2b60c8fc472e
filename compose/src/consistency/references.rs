//! What a service names must exist.

use std::collections::{HashMap, HashSet};

use crate::diagnostic::{Diagnostic, Span};
use crate::schema::nearest;
use crate::yaml::Node;

/// What there is to refer to, by section and name.
pub(super) struct Known<'a> {
    sections: HashMap<&'static str, HashMap<&'a str, &'a Node>>,
    disabled: HashSet<&'a str>,
}

/// Names beyond which none is searched for a slip: every fault of a hostile file would cost all of them.
const MOST_NAMES: usize = 500;

impl<'a> Known<'a> {
    pub(super) fn new(document: &'a Node, disabled: &'a [String]) -> Self {
        let names = |section| {
            let entries = document.get(section).map_or(&[][..], Node::entries);
            (section, entries.iter().map(|entry| (entry.key.as_str(), &entry.value)).collect())
        };
        let sections = ["services", "networks", "volumes", "configs", "secrets", "models"].map(names);
        Self { sections: sections.into_iter().collect(), disabled: disabled.iter().map(String::as_str).collect() }
    }

    fn get(&self, section: &str, name: &str) -> Option<&'a Node> {
        self.sections.get(section)?.get(name).copied()
    }

    /// Returns the known name nearest to an unknown one.
    fn nearest(&self, section: &str, name: &str) -> Option<&'a str> {
        let names = self.sections.get(section).filter(|names| names.len() <= MOST_NAMES)?;
        nearest(name, names.keys().copied())
    }
}

/// Checks everything that the service `name` refers to.
pub(super) fn check(name: &str, service: &Node, known: &Known<'_>, faults: &mut Vec<Diagnostic>) {
    for dependency in service.get("depends_on").map_or(&[][..], Node::entries) {
        let required = dependency.value.get("required").and_then(Node::as_bool).unwrap_or(true);
        let is_disabled = known.disabled.contains(dependency.key.as_str());
        if known.get("services", &dependency.key).is_none() && (required || !is_disabled) {
            faults.push(unknown_service(name, &dependency.key, &dependency.at, known));
        }
    }
    for (attribute, section) in [("networks", "networks"), ("models", "models")] {
        for entry in service.get(attribute).map_or(&[][..], Node::entries) {
            object(name, section, &entry.key, &entry.at, known, faults);
        }
    }
    for volume in service.get("volumes").map_or(&[][..], Node::items) {
        if let Some(source) = volume.get("source").filter(|_| volume.text("type") == Some("volume")) {
            object(name, "volumes", source.as_text().unwrap_or_default(), &source.span, known, faults);
        }
    }
    files(name, service, known, faults);
    contexts(name, service, known, faults);
}

/// Checks configs and secrets, those of the build too.
fn files(name: &str, service: &Node, known: &Known<'_>, faults: &mut Vec<Diagnostic>) {
    let of_build = service.get("build").and_then(|build| build.get("secrets"));
    let lists = [("configs", service.get("configs")), ("secrets", service.get("secrets")), ("secrets", of_build)];
    for (section, list) in lists {
        for grant in list.map_or(&[][..], Node::items) {
            match grant.get("source") {
                Some(source) => {
                    object(name, section, source.as_text().unwrap_or_default(), &source.span, known, faults);
                }
                None => {
                    let message = format!("an item of `{section}` of service `{name}` lacks the key `source`");
                    faults.push(Diagnostic::error(message).at(&grant.span));
                }
            }
        }
    }
}

/// Checks the services whose images a build begins with.
fn contexts(name: &str, service: &Node, known: &Known<'_>, faults: &mut Vec<Diagnostic>) {
    let contexts = service.get("build").and_then(|build| build.get("additional_contexts"));
    for entry in contexts.map_or(&[][..], Node::entries) {
        let Some(other) = entry.value.as_text().and_then(|text| text.strip_prefix("service:")) else { continue };
        match known.get("services", other) {
            None => faults.push(unknown_service(name, other, &entry.value.span, known)),
            Some(service) if service.get("build").is_none() => {
                let message = format!("service `{name}` builds upon service `{other}`, which has no `build`");
                faults.push(Diagnostic::error(message).at(&entry.value.span));
            }
            Some(_) => {}
        }
    }
}

fn unknown_service(name: &str, other: &str, at: &Span, known: &Known<'_>) -> Diagnostic {
    if known.disabled.contains(other) {
        let message = format!("service `{name}` depends on `{other}`, which no active profile enables");
        return Diagnostic::error(message).at(at).hint("activate its profile with --profile, or set `required: false`");
    }
    let fault = Diagnostic::error(format!("service `{name}` depends on undefined service `{other}`")).at(at);
    match known.nearest("services", other) {
        Some(near) => fault.hint(format!("did you mean `{near}`?")),
        None => fault,
    }
}

fn object(name: &str, section: &'static str, key: &str, at: &Span, known: &Known<'_>, faults: &mut Vec<Diagnostic>) {
    if known.get(section, key).is_some() {
        return;
    }
    let kind = section.trim_end_matches('s');
    let fault = Diagnostic::error(format!("service `{name}` refers to undefined {kind} `{key}`")).at(at);
    faults.push(match known.nearest(section, key) {
        Some(near) => fault.hint(format!("did you mean `{near}`?")),
        None => fault.hint(format!("declare it under the top-level `{section}`")),
    });
}
