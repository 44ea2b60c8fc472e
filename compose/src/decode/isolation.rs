//! Rights of a service.

use std::path::PathBuf;

use super::reader::{Reader, flag, pairs, text, texts};
use crate::model::{Device, Isolation, Namespace};
use crate::yaml::Node;

pub(super) fn read(service: &Node, path: &str, reader: &mut Reader) -> Isolation {
    let devices = service.get("devices").map_or(&[][..], Node::items);
    let mut namespace = |key: &str| namespace(service, key, path, reader);
    let mut isolation = Isolation {
        pid: namespace("pid"),
        ipc: namespace("ipc"),
        uts: namespace("uts"),
        cgroup: namespace("cgroup"),
        privileged: flag(service, "privileged"),
        cap_add: texts(service, "cap_add"),
        cap_drop: texts(service, "cap_drop"),
        read_only: flag(service, "read_only"),
        devices: devices.iter().filter_map(|node| device(node, path, reader)).collect(),
        sysctls: pairs(service, "sysctls"),
        ..Isolation::default()
    };
    for option in service.get("security_opt").map_or(&[][..], Node::items) {
        security_option(option, path, &mut isolation, reader);
    }
    isolation
}

/// Applies one item of `security_opt`; older files have `:` where today's have `=`.
fn security_option(node: &Node, path: &str, isolation: &mut Isolation, reader: &mut Reader) {
    let text = node.as_text().unwrap_or_default();
    match text.replacen(':', "=", 1).as_str() {
        "no-new-privileges" | "no-new-privileges=true" => isolation.no_new_privileges = true,
        "no-new-privileges=false" => isolation.no_new_privileges = false,
        "seccomp=unconfined" => isolation.seccomp_unconfined = true,
        "systempaths=unconfined" => isolation.paths_unconfined = true,
        // What lighter does anyway: its own filter, and no labels of a security module.
        "seccomp=builtin" | "apparmor=unconfined" | "label=disable" => {}
        _ => reader.refuse(node, format!("`{path}.security_opt` `{text}` is not supported by lighter yet")),
    }
}

fn device(node: &Node, path: &str, reader: &mut Reader) -> Option<Device> {
    let source = text(node, "source")?;
    if !source.starts_with('/') {
        reader.refuse(node, format!("`{path}.devices` names `{source}`: CDI devices are not supported by lighter yet"));
        return None;
    }
    let target = text(node, "target").unwrap_or_else(|| source.clone());
    let permissions = text(node, "permissions").unwrap_or_else(|| "rwm".to_owned());
    if !permissions.chars().all(|letter| "rwm".contains(letter)) {
        reader.refuse(node, format!("`{path}.devices` may have the permissions `r`, `w` and `m`, not `{permissions}`"));
    }
    Some(Device { source: PathBuf::from(source), target, permissions })
}

fn namespace(service: &Node, key: &str, path: &str, reader: &mut Reader) -> Namespace {
    let Some(node) = service.get(key) else { return Namespace::Private };
    match node.as_text().unwrap_or_default() {
        "private" | "shareable" => Namespace::Private,
        "host" => Namespace::Host,
        mode => {
            reader.refuse(node, format!("`{path}.{key}` `{mode}` is not supported by lighter yet"));
            Namespace::Private
        }
    }
}
