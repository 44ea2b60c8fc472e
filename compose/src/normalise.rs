//! What a document means without saying it.
//!
//! Runs in the command; pure. Fills in the default network, the dependencies that shared namespaces imply, names on the
//! host, and takes out what no service uses.

use std::collections::HashSet;

use crate::names;
use crate::source::Environment;
use crate::yaml::{Map, Node, Value};

/// Fills in what services say by saying nothing.
pub(crate) fn fill(document: &mut Node) {
    let Some(Value::Map(services)) = section(document, "services").map(|services| &mut services.value) else { return };
    for service in services.0.iter_mut().filter_map(|entry| entry.value.as_map_mut()) {
        required_dependencies(service);
        secret_targets(service);
    }
}

/// Fills in what is implied; `project` is the name of the project, `variables` give arguments of builds their values.
pub(crate) fn normalise(document: &mut Node, project: &str, variables: &Environment) {
    let place = document.clone_place();
    if let Some(Value::Map(services)) = section(document, "services").map(|services| &mut services.value) {
        for entry in &mut services.0 {
            if let Value::Map(service) = &mut entry.value.value {
                let place = Node::new(Value::Null, entry.at.clone());
                build_defaults(service, variables);
                pull_policy(service);
                default_network(service, &place);
                implied_dependencies(service, &place);
            }
        }
    }
    declare_default_network(document, &place);
    for kind in ["networks", "volumes", "configs", "secrets"] {
        let Some(Value::Map(objects)) = section(document, kind).map(|section| &mut section.value) else { continue };
        for entry in &mut objects.0 {
            name_object(&mut entry.value, &entry.key, project);
        }
    }
}

fn section<'a>(document: &'a mut Node, name: &str) -> Option<&'a mut Node> {
    document.as_map_mut()?.get_mut(name)
}

fn build_defaults(service: &mut Map, variables: &Environment) {
    let Some(build) = service.get_mut("build") else { return };
    let place = build.clone_place();
    let Value::Map(build) = &mut build.value else { return };
    if !build.contains("dockerfile") && !build.contains("dockerfile_inline") {
        build.set("dockerfile", place.text_here("Dockerfile"));
    }
    if let Some(Value::Map(arguments)) = build.get_mut("args").map(|arguments| &mut arguments.value) {
        // A name alone takes its value from the variables; without one it is as if it had not been named.
        for entry in arguments.0.iter_mut().filter(|entry| entry.value.is_null()) {
            let value = variables.get(&entry.key).map(|value| entry.value.text_here(value.clone()));
            value.into_iter().for_each(|value| entry.value = value);
        }
        arguments.0.retain(|entry| !entry.value.is_null());
    }
    build.0.retain(|entry| entry.key != "args" || !entry.value.entries().is_empty());
}

/// The older name of a policy.
fn pull_policy(service: &mut Map) {
    if let Some(policy) = service.get_mut("pull_policy").filter(|policy| policy.as_text() == Some("if_not_present")) {
        *policy = policy.text_here("missing");
    }
}

/// Gives every build without a context the folder of its project: before that is included in another one, whose folder is
/// not its own.
pub(crate) fn contexts(document: &mut Node, directory: &std::path::Path) {
    let Some(Value::Map(services)) = section(document, "services").map(|services| &mut services.value) else { return };
    for service in services.0.iter_mut().filter_map(|entry| entry.value.as_map_mut()) {
        if let Some(build) = service.get_mut("build") {
            let context = build.text_here(directory.to_string_lossy());
            if let Some(map) = build.as_map_mut().filter(|map| map.get("context").is_none_or(Node::is_null)) {
                map.set("context", context);
            }
        }
    }
}

/// A service that names no network and no other mode is in `default`.
fn default_network(service: &mut Map, place: &Node) {
    let attached = service.get("networks").is_some_and(|networks| !networks.entries().is_empty());
    if service.contains("network_mode") || attached || service.contains("provider") {
        return;
    }
    let mut networks = Map::default();
    networks.set("default", place.clone());
    service.set("networks", place.here(Value::Map(networks)));
}

/// A dependency is required unless it says otherwise.
fn required_dependencies(service: &mut Map) {
    let dependencies = service.get_mut("depends_on").and_then(Node::as_map_mut);
    for entry in dependencies.into_iter().flat_map(|map| &mut map.0) {
        let required = Node::new(Value::Bool(true), entry.at.clone());
        if let Some(dependency) = entry.value.as_map_mut().filter(|map| !map.contains("required")) {
            dependency.set("required", required);
        }
    }
}

/// A secret is seen in `/run/secrets` unless it says otherwise.
fn secret_targets(service: &mut Map) {
    let Some(Value::List(secrets)) = service.get_mut("secrets").map(|secrets| &mut secrets.value) else { return };
    for secret in secrets {
        let target = secret.text_here(format!("/run/secrets/{}", secret.text("source").unwrap_or_default()));
        if let Some(map) = secret.as_map_mut().filter(|map| !map.contains("target")) {
            map.set("target", target);
        }
    }
}

/// Who uses the namespace or the volumes of a service needs it to run.
fn implied_dependencies(service: &mut Map, place: &Node) {
    let mut implied: Vec<(String, bool)> = Vec::new();
    for key in ["network_mode", "ipc", "pid", "uts", "cgroup"] {
        let text = service.get(key).and_then(Node::as_text).and_then(|mode| mode.strip_prefix("service:"));
        implied.extend(text.map(|name| (name.to_owned(), true)));
    }
    let links = service.get("links").map_or(&[][..], Node::items).iter().filter_map(Node::as_text);
    implied.extend(links.map(|link| (link.split(':').next().unwrap_or(link).to_owned(), true)));
    let sources = service.get("volumes_from").map_or(&[][..], Node::items).iter().filter_map(Node::as_text);
    let sources = sources.filter(|source| !source.starts_with("container:"));
    implied.extend(sources.map(|source| (source.split(':').next().unwrap_or(source).to_owned(), false)));
    for (name, restart) in implied {
        add_dependency(service, &name, restart, place);
    }
}

fn add_dependency(service: &mut Map, name: &str, restart: bool, place: &Node) {
    if !service.contains("depends_on") {
        service.set("depends_on", place.here(Value::Map(Map::default())));
    }
    let Some(dependencies) = service.get_mut("depends_on").and_then(Node::as_map_mut) else { return };
    if dependencies.contains(name) {
        return;
    }
    let mut dependency = Map::default();
    dependency.set("condition", place.text_here("service_started"));
    dependency.set("required", place.here(Value::Bool(true)));
    if restart {
        dependency.set("restart", place.here(Value::Bool(true)));
    }
    dependencies.set(name, place.here(Value::Map(dependency)));
}

/// Declares `default` where a service uses it and the file does not describe it.
fn declare_default_network(document: &mut Node, place: &Node) {
    let uses_default =
        |service: &Node| service.get("networks").is_some_and(|networks| networks.get("default").is_some());
    let used = document.get("services").map_or(&[][..], Node::entries).iter().any(|entry| uses_default(&entry.value));
    let Some(map) = document.as_map_mut() else { return };
    if used && !map.contains("networks") {
        map.set("networks", place.here(Value::Map(Map::default())));
    }
    let networks = map.get_mut("networks").and_then(Node::as_map_mut);
    if let Some(networks) = networks.filter(|networks| used && !networks.contains("default")) {
        networks.set("default", place.here(Value::Map(Map::default())));
    }
}

/// Gives a network, volume, config or secret its name on the host.
fn name_object(object: &mut Node, key: &str, project: &str) {
    if object.is_null() {
        object.value = Value::Map(Map::default());
    }
    let place = object.clone_place();
    let Value::Map(map) = &mut object.value else { return };
    if !map.contains("name") {
        let external = map.get("external").and_then(Node::as_bool).unwrap_or(false);
        let name = if external { key.to_owned() } else { names::object(project, key) };
        map.set("name", place.text_here(name));
    }
}

/// Takes out networks, volumes, configs, secrets and models that no service uses.
pub(crate) fn drop_unused(document: &mut Node) {
    let mut used = HashSet::new();
    for entry in document.get("services").map_or(&[][..], Node::entries) {
        note_uses(&entry.value, &mut used);
    }
    for kind in SECTIONS {
        if let Some(Value::Map(objects)) = section(document, kind).map(|section| &mut section.value) {
            objects.0.retain(|entry| used.contains(&(kind, entry.key.clone())));
        }
    }
    drop_empty(document);
}

/// The sections of things that services share.
const SECTIONS: [&str; 5] = ["networks", "volumes", "configs", "secrets", "models"];

/// Takes out sections with nothing in them.
pub(crate) fn drop_empty(document: &mut Node) {
    if let Some(map) = document.as_map_mut() {
        map.0.retain(|entry| !SECTIONS.contains(&entry.key.as_str()) || !entry.value.entries().is_empty());
    }
}

/// Notes what a service uses, by section and key.
fn note_uses(service: &Node, used: &mut HashSet<(&'static str, String)>) {
    for kind in ["networks", "models"] {
        let entries = service.get(kind).map_or(&[][..], Node::entries);
        used.extend(entries.iter().map(|entry| (kind, entry.key.clone())));
    }
    let volumes = service.get("volumes").map_or(&[][..], Node::items).iter();
    let named = volumes.filter(|item| item.text("type") == Some("volume")).filter_map(|item| item.text("source"));
    used.extend(named.map(|name| ("volumes", name.to_owned())));
    let of_build = service.get("build").and_then(|build| build.get("secrets"));
    for (kind, list) in
        [("configs", service.get("configs")), ("secrets", service.get("secrets")), ("secrets", of_build)]
    {
        let sources = list.map_or(&[][..], Node::items).iter().filter_map(|item| item.text("source"));
        used.extend(sources.map(|name| (kind, name.to_owned())));
    }
}
