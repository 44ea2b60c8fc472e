//! Files of Compose 1 and fig: services at the top level, with attributes that have other names today.
//!
//! What such a file means is kept: its volumes have the names they are written with, and who is linked shares a network.

use crate::diagnostic::Diagnostic;
use crate::yaml::{Entry, Map, Node, Value};

/// Keys with which a document is none of Compose 1, whatever else it has.
const SECTIONS: [&str; 9] =
    ["version", "name", "include", "services", "networks", "volumes", "configs", "secrets", "models"];

/// Moves the services of a document of Compose 1 to where they stand today, with a warning; leaves any other as it is.
pub(super) fn modernise(document: &mut Node, warnings: &mut Vec<Diagnostic>) {
    if !is_old(document) {
        return;
    }
    let place = document.clone_place();
    let Some(map) = document.as_map_mut() else { return };
    let (extensions, mut services): (Vec<_>, Vec<_>) =
        std::mem::take(&mut map.0).into_iter().partition(|entry| entry.key.starts_with("x-"));
    if let Some(first) = services.first() {
        let warning = Diagnostic::warning("services stand at the top level, as in Compose 1").at(&first.at);
        warnings.push(warning.hint("put them below `services:`; Docker Compose of today refuses this file"));
    }
    let names: Vec<String> = services.iter().map(|entry| entry.key.clone()).collect();
    let mut volumes = Map::default();
    for service in services.iter_mut().filter_map(|entry| entry.value.as_map_mut()) {
        rename(service, &names);
        declare_volumes(service, &mut volumes);
    }
    map.0 = extensions;
    map.set("services", place.here(Value::Map(Map(services))));
    if !volumes.0.is_empty() {
        map.set("volumes", place.here(Value::Map(volumes)));
    }
}

/// Returns whether every key of a document is a service: a mapping with an image, a build or a base.
fn is_old(document: &Node) -> bool {
    let is_service = |value: &Node| ["image", "build", "extends"].iter().any(|key| value.get(key).is_some());
    let mut services = document.entries().iter().filter(|entry| !entry.key.starts_with("x-")).peekable();
    services.peek().is_some()
        && services.all(|entry| !SECTIONS.contains(&entry.key.as_str()) && is_service(&entry.value))
}

/// Gives attributes the names they have today; `services` are the names of all services.
fn rename(service: &mut Map, services: &[String]) {
    if let Some(net) = take(service, "net") {
        let mode = net.value.as_text().unwrap_or_default();
        let of_service = mode.strip_prefix("container:").filter(|name| services.iter().any(|other| other == name));
        let value = match of_service {
            Some(name) => net.value.text_here(format!("service:{name}")),
            None => net.value,
        };
        service.0.push(Entry { key: "network_mode".to_owned(), at: net.at, value });
    }
    if let (Some(dockerfile), Some(build)) = (take(service, "dockerfile"), service.get_mut("build")) {
        let mut map = Map::default();
        map.set("context", build.clone());
        map.0.push(dockerfile);
        *build = build.here(Value::Map(map));
    }
    logging(service);
    let sources = service.get_mut("volumes_from").map(|sources| &mut sources.value);
    if let Some(Value::List(sources)) = sources {
        sources.iter_mut().for_each(|source| volumes_from(source, services));
    }
}

/// Joins the driver and the options of the log.
fn logging(service: &mut Map) {
    let parts = [("log_driver", "driver"), ("log_opt", "options")];
    for (old, new) in parts {
        let Some(Entry { at, value, .. }) = take(service, old) else { continue };
        let place = value.clone_place();
        if !service.contains("logging") {
            service.set("logging", place.here(Value::Map(Map::default())));
        }
        let logging = service.get_mut("logging").and_then(Node::as_map_mut);
        logging
            .into_iter()
            .for_each(|map| map.0.push(Entry { key: new.to_owned(), at: at.clone(), value: value.clone() }));
    }
}

/// What is no service is a container.
fn volumes_from(source: &mut Node, services: &[String]) {
    let text = source.as_text().unwrap_or_default();
    let name = text.split(':').next().unwrap_or_default();
    if name != "container" && !services.iter().any(|other| other == name) {
        *source = source.text_here(format!("container:{text}"));
    }
}

/// Declares the volumes that a service names, with the names they are written with.
fn declare_volumes(service: &Map, volumes: &mut Map) {
    for item in service.get("volumes").map_or(&[][..], Node::items) {
        let Some((source, _)) = item.as_text().and_then(|text| text.split_once(':')) else { continue };
        if source.is_empty() || source.contains('$') || crate::paths::is_host_path(source) {
            continue;
        }
        let mut volume = Map::default();
        volume.set("name", item.text_here(source));
        volumes.set(source, item.here(Value::Map(volume)));
    }
}

fn take(map: &mut Map, key: &str) -> Option<Entry> {
    let place = map.0.iter().position(|entry| entry.key == key)?;
    Some(map.0.remove(place))
}
