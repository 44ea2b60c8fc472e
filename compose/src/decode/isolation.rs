//! Rights of a service.

use std::path::PathBuf;

use super::reader::{Reader, flag, pairs, text, texts};
use crate::model::{Device, Isolation, Namespace};
use crate::yaml::Node;

pub(super) fn read(service: &Node, path: &str, reader: &mut Reader) -> Isolation {
    let devices = service.get("devices").map_or(&[][..], Node::items);
    let mut namespace = |key: &str| namespace(service, key, path, reader);
    let (pid, ipc, uts, cgroup) = (namespace("pid"), namespace("ipc"), namespace("uts"), namespace("cgroup"));
    Isolation {
        privileged: flag(service, "privileged"),
        cap_add: texts(service, "cap_add"),
        cap_drop: texts(service, "cap_drop"),
        security_opt: texts(service, "security_opt"),
        read_only: flag(service, "read_only"),
        devices: devices.iter().filter_map(|node| device(node, path, reader)).collect(),
        device_cgroup_rules: texts(service, "device_cgroup_rules"),
        sysctls: pairs(service, "sysctls"),
        pid,
        ipc,
        uts,
        cgroup,
    }
}

fn device(node: &Node, path: &str, reader: &mut Reader) -> Option<Device> {
    let source = text(node, "source")?;
    if !source.starts_with('/') {
        reader.refuse(node, format!("`{path}.devices` names `{source}`: CDI devices are not supported by lighter yet"));
        return None;
    }
    let target = text(node, "target")?;
    Some(Device { source: PathBuf::from(source), target, permissions: text(node, "permissions")? })
}

fn namespace(service: &Node, key: &str, path: &str, reader: &mut Reader) -> Option<Namespace> {
    let node = service.get(key)?;
    let mode = node.as_text().unwrap_or_default();
    match (mode, mode.split_once(':')) {
        ("private" | "shareable", _) => Some(Namespace::Private),
        ("host", _) => Some(Namespace::Host),
        (_, Some(("service", name))) => Some(Namespace::Service(name.to_owned())),
        (_, Some(("container", name))) => Some(Namespace::Container(name.to_owned())),
        _ => {
            reader.refuse(node, format!("`{path}.{key}` `{mode}` is not supported by lighter yet"));
            None
        }
    }
}
