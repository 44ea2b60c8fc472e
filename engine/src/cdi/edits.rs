//! What a device adds to a runtime configuration.

use std::path::Path;

use oci_spec::runtime::{Hooks, LinuxDeviceCgroup, Mount as OciMount, Spec};

use super::CdiError;
use super::document::{DeviceNode, Edits, HookName, Mount, NamedHook};
use crate::oci;

/// Adds all that is in `edits`.
pub(super) fn make(config: &mut Spec, edits: &Edits) -> Result<(), CdiError> {
    let mut process = config.process().clone().unwrap_or_default();
    let mut env = process.env().clone().unwrap_or_default();
    for pair in &edits.env {
        let name = |pair: &str| pair.split('=').next().unwrap_or_default().to_owned();
        env.retain(|other| name(other) != name(pair));
        env.push(pair.clone());
    }
    process.set_env(Some(env));
    let mut user = process.user().clone();
    let groups = user.additional_gids().iter().flatten().chain(&edits.additional_gids).copied().collect();
    user.set_additional_gids(Some(groups));
    process.set_user(user);
    config.set_process(Some(process));
    let mut mounts = config.mounts().clone().unwrap_or_default();
    mounts.extend(edits.mounts.iter().map(mount));
    config.set_mounts(Some(mounts));
    let hooks = edits.hooks.iter().fold(config.hooks().clone().unwrap_or_default(), with_hook);
    config.set_hooks(Some(hooks));
    edits.device_nodes.iter().try_for_each(|node| add_device(config, node))
}

fn mount(mount: &Mount) -> OciMount {
    let mut made = OciMount::default();
    made.set_destination(mount.container_path.clone())
        .set_source(Some(mount.host_path.clone()))
        .set_typ(Some(mount.kind.clone().unwrap_or_else(|| "bind".to_owned())))
        .set_options(Some(mount.options.clone()));
    made
}

fn with_hook(mut hooks: Hooks, named: &NamedHook) -> Hooks {
    let list = match named.hook_name {
        HookName::Prestart => hooks.prestart_mut(),
        HookName::CreateRuntime => hooks.create_runtime_mut(),
        HookName::CreateContainer => hooks.create_container_mut(),
        HookName::StartContainer => hooks.start_container_mut(),
        HookName::Poststart => hooks.poststart_mut(),
        HookName::Poststop => hooks.poststop_mut(),
    };
    list.get_or_insert_default().push(named.hook.clone());
    hooks
}

/// Adds a device node, and the right to use it.
fn add_device(config: &mut Spec, node: &DeviceNode) -> Result<(), CdiError> {
    let mut device = oci::device(node.host_path.as_deref().unwrap_or(&node.path), Path::new(&node.path))?;
    device.set_file_mode(node.file_mode.or(device.file_mode()));
    device.set_uid(node.uid.or(device.uid()));
    device.set_gid(node.gid.or(device.gid()));
    let mut rule = LinuxDeviceCgroup::from(&device);
    rule.set_access(Some(node.permissions.clone().unwrap_or_else(|| "rwm".to_owned())));
    let mut linux = config.linux().clone().unwrap_or_default();
    let mut devices = linux.devices().clone().unwrap_or_default();
    devices.push(device);
    linux.set_devices(Some(devices));
    let mut resources = linux.resources().clone().unwrap_or_default();
    let mut rules = resources.devices().clone().unwrap_or_default();
    rules.push(rule);
    resources.set_devices(Some(rules));
    linux.set_resources(Some(resources));
    config.set_linux(Some(linux));
    Ok(())
}
