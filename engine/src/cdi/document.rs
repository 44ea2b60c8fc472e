//! A specification of devices as it is written. Pure.

use std::path::PathBuf;

use oci_spec::runtime::Hook;
use serde::Deserialize;

use super::yaml;

/// A file: devices of one kind.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document {
    kind: String,
    devices: Vec<Device>,
    #[serde(default)]
    container_edits: Edits,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Device {
    name: String,
    container_edits: Edits,
}

/// What is added to a container.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Edits {
    pub(super) env: Vec<String>,
    pub(super) device_nodes: Vec<DeviceNode>,
    pub(super) mounts: Vec<Mount>,
    pub(super) hooks: Vec<NamedHook>,
    #[serde(rename = "additionalGids")]
    pub(super) additional_gids: Vec<u32>,
}

/// A device of the host, at `path` inside.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeviceNode {
    pub(super) path: PathBuf,
    pub(super) host_path: Option<PathBuf>,
    pub(super) permissions: Option<String>,
    pub(super) file_mode: Option<u32>,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Mount {
    pub(super) host_path: PathBuf,
    pub(super) container_path: PathBuf,
    #[serde(default)]
    pub(super) options: Vec<String>,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NamedHook {
    pub(super) hook_name: HookName,
    #[serde(flatten)]
    pub(super) hook: Hook,
}

/// When a hook runs: config.md of the OCI runtime specification, POSIX-platform hooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum HookName {
    Prestart,
    CreateRuntime,
    CreateContainer,
    StartContainer,
    Poststart,
    Poststop,
}

/// Reads a file, JSON or YAML: the one is a part of the other.
pub(super) fn parse(text: &str) -> Result<Document, String> {
    serde_json::from_value(yaml::value(text)?).map_err(|error| error.to_string())
}

impl Document {
    /// Returns the devices by their whole names, each with the edits of its file and its own.
    pub(super) fn into_devices(self) -> Vec<(String, Vec<Edits>)> {
        let Self { kind, devices, container_edits } = self;
        let whole =
            |device: Device| (format!("{kind}={}", device.name), vec![container_edits.clone(), device.container_edits]);
        devices.into_iter().map(whole).collect()
    }
}
