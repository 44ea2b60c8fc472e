//! `build`.

use super::file_object;
use super::reader::{Reader, flag, pairs, size, text, texts};
use super::resources;
use crate::model::Build;
use crate::yaml::Node;

pub(super) fn read(node: &Node, path: &str, reader: &mut Reader) -> Build {
    let path = format!("{path}.build");
    Build {
        context: text(node, "context").unwrap_or_default(),
        dockerfile: text(node, "dockerfile"),
        dockerfile_inline: text(node, "dockerfile_inline"),
        args: pairs(node, "args"),
        additional_contexts: pairs(node, "additional_contexts"),
        target: text(node, "target"),
        tags: texts(node, "tags"),
        labels: pairs(node, "labels"),
        secrets: file_object::grants(node, "secrets", "", &path, reader),
        ssh: agents(node),
        cache_from: texts(node, "cache_from"),
        cache_to: texts(node, "cache_to"),
        no_cache: flag(node, "no_cache"),
        no_cache_filter: filter(node),
        pull: flag(node, "pull"),
        network: text(node, "network"),
        extra_hosts: texts(node, "extra_hosts"),
        shm_size: size(node, "shm_size"),
        ulimits: resources::ulimits(node, &path, reader),
        platforms: texts(node, "platforms"),
        entitlements: texts(node, "entitlements"),
        privileged: flag(node, "privileged"),
        provenance: text(node, "provenance"),
        sbom: text(node, "sbom"),
    }
}

/// `ssh` is a list of `ID` and `ID=SOCKET`, or a mapping.
fn agents(node: &Node) -> std::collections::BTreeMap<String, String> {
    let listed = texts(node, "ssh").into_iter().map(|text| match text.split_once('=') {
        Some((id, socket)) => (id.to_owned(), socket.to_owned()),
        None => (text, String::new()),
    });
    let entries = node.get("ssh").map_or(&[][..], Node::entries);
    let mapped = entries.iter().map(|entry| (entry.key.clone(), entry.value.scalar_text().unwrap_or_default()));
    listed.chain(mapped).collect()
}

/// `no_cache_filter` is one stage, or a list.
fn filter(node: &Node) -> Vec<String> {
    text(node, "no_cache_filter").map_or_else(|| texts(node, "no_cache_filter"), |one| vec![one])
}
