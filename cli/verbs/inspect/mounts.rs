//! What a container has mounted, as docker shows it. Records of every kind have the same fields, so that a template may ask
//! for any of them.

use lighter_engine::{Container, Engine, MountKind};
use serde_json::{Value, json};

use crate::error::Failure;

/// Returns what a container has mounted, as docker shows it.
pub(super) fn mounts(engine: &Engine, container: &Container) -> Result<Vec<Value>, Failure> {
    let mut mounts = Vec::new();
    for mount in &container.spec.mounts {
        let mut object = match &mount.kind {
            MountKind::Bind { source, propagation, .. } => {
                json!({"Type": "bind", "Name": "", "Source": source, "Driver": "", "Propagation": propagation.option()})
            }
            MountKind::Volume { name, .. } => {
                let source = engine.volume(name)?.map(|volume| volume.mountpoint);
                json!({"Type": "volume", "Name": name, "Source": source, "Driver": "local", "Propagation": ""})
            }
            MountKind::Image { reference, .. } => {
                json!({"Type": "image", "Name": "", "Source": reference, "Driver": "", "Propagation": ""})
            }
            MountKind::Tmpfs { .. } => {
                json!({"Type": "tmpfs", "Name": "", "Source": "", "Driver": "", "Propagation": ""})
            }
        };
        object["Destination"] = json!(mount.target);
        object["Mode"] = json!(if mount.read_only { "ro" } else { "" });
        object["RW"] = json!(!mount.read_only);
        mounts.push(object);
    }
    Ok(mounts)
}
