//! Rights of a service.

use std::path::PathBuf;

use super::device_request;
use super::reader::{Reader, flag, pairs, text, texts};
use crate::model::{Device, Isolation, Namespace};
use crate::yaml::Node;

pub(super) fn read(service: &Node, path: &str, reader: &mut Reader) -> Isolation {
    let items = service.get("devices").map_or(&[][..], Node::items);
    let (cdi, nodes): (Vec<_>, Vec<_>) = items.iter().partition(|node| is_cdi(node));
    only(service, "userns_mode", path, &["host", "private"], reader);
    let requested = device_request::read(service, path, reader);
    let mut namespace = |key: &str| namespace(service, key, path, reader);
    let mut isolation = Isolation {
        pid: namespace("pid"),
        ipc: namespace("ipc"),
        uts: namespace("uts"),
        cgroup: namespace("cgroup"),
        own_users: service.text("userns_mode") == Some("private"),
        privileged: flag(service, "privileged"),
        cap_add: texts(service, "cap_add"),
        cap_drop: texts(service, "cap_drop"),
        read_only: flag(service, "read_only"),
        devices: nodes.into_iter().filter_map(|node| device(node, path, reader)).collect(),
        cdi_devices: cdi.into_iter().filter_map(|node| text(node, "source")).chain(requested).collect(),
        runtime: text(service, "runtime").filter(|name| !name.is_empty()),
        device_rules: texts(service, "device_cgroup_rules"),
        cgroup_parent: text(service, "cgroup_parent").filter(|parent| !parent.is_empty()),
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
        "writable-cgroups" | "writable-cgroups=true" => isolation.writable_cgroups = true,
        "writable-cgroups=false" => isolation.writable_cgroups = false,
        "seccomp=builtin" | "apparmor=unconfined" | "label=disable" => {}
        option => match option.split_once('=').filter(|(_, value)| !value.is_empty()) {
            Some(("apparmor", profile)) => isolation.apparmor = Some(profile.to_owned()),
            Some(("seccomp", file)) => isolation.seccomp_profile = Some(PathBuf::from(file)),
            _ => reader.refuse(node, format!("`{path}.security_opt` `{text}` is not supported by lighter yet")),
        },
    }
}

/// Refuses any other value of `key` than these, which lighter has.
fn only(service: &Node, key: &str, path: &str, known: &[&str], reader: &mut Reader) {
    let Some(node) = service.get(key) else { return };
    let value = node.as_text().unwrap_or_default();
    if !value.is_empty() && !known.contains(&value) {
        let known = known.join("` and `");
        reader.refuse(node, format!("`{path}.{key}` `{value}` is not supported by lighter: only `{known}` are"));
    }
}

fn is_cdi(device: &Node) -> bool {
    device.text("source").is_some_and(lighter_engine::is_cdi_name)
}

fn device(node: &Node, path: &str, reader: &mut Reader) -> Option<Device> {
    let source = text(node, "source")?;
    if !source.starts_with('/') {
        reader.refuse(node, format!("`{path}.devices` names `{source}`, which is neither a path nor a CDI name"));
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
    let mode = node.as_text().unwrap_or_default();
    match (key, mode, mode.split_once(':')) {
        (_, "private", _) => Namespace::Private,
        (_, "host", _) => Namespace::Host,
        ("ipc", "shareable", _) => Namespace::Shareable,
        ("ipc", "none", _) => Namespace::None,
        ("pid" | "ipc", _, Some(("service", name))) if !name.is_empty() => Namespace::Service(name.to_owned()),
        ("pid" | "ipc", _, Some(("container", name))) if !name.is_empty() => Namespace::Container(name.to_owned()),
        _ => {
            reader.refuse(node, format!("`{path}.{key}` `{mode}` is not supported by lighter yet"));
            Namespace::Private
        }
    }
}
