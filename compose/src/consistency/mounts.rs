//! A place in a container is taken once.

use std::collections::HashMap;

use super::conflict;
use crate::diagnostic::{Diagnostic, Span};
use crate::yaml::Node;

/// Checks the tmpfs, volumes, configs and secrets of the service `name`.
pub(super) fn check(name: &str, service: &Node, faults: &mut Vec<Diagnostic>) {
    let mut taken: HashMap<String, &Span> = HashMap::new();
    let items = |key: &str| service.get(key).map_or(&[][..], Node::items);
    let tmpfs = items("tmpfs").iter().map(|item| (tmpfs_target(item), item));
    let volumes = items("volumes").iter().map(|item| (item.text("target").unwrap_or_default().to_owned(), item));
    let configs = items("configs").iter().map(|item| (file_target(item, "/"), item));
    let secrets = items("secrets").iter().map(|item| (file_target(item, "/run/secrets/"), item));
    for (target, item) in tmpfs.chain(volumes).chain(configs).chain(secrets) {
        let message = format!("service `{name}` has two mounts at `{target}`");
        if let Some(first) = taken.insert(target, &item.span) {
            faults.push(conflict(message, first, &item.span));
        }
    }
}

fn tmpfs_target(item: &Node) -> String {
    item.as_text().and_then(|text| text.split(':').next()).unwrap_or_default().to_owned()
}

/// Returns where a config or a secret is seen; relative targets are below `folder`.
fn file_target(item: &Node, folder: &str) -> String {
    let target = item.text("target").or(item.text("source")).unwrap_or_default();
    if target.starts_with('/') { target.to_owned() } else { format!("{folder}{target}") }
}
