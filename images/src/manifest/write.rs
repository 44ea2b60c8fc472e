//! Manifests that are made here.
//!
//! Runs in the shell command's process; pure. The same image gives the same bytes. OCI image-spec, manifest.md.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::document::{OCI_CONFIG, OCI_INDEX, OCI_MANIFEST};
use crate::digest::Digest;

/// Makes a descriptor (descriptor.md).
pub(crate) fn descriptor(media_type: &str, digest: &Digest, size: u64) -> Value {
    json!({"mediaType": media_type, "digest": digest, "size": size})
}

/// Makes the manifest of an image with this configuration, the layers of these descriptors, bottom first, and these
/// annotations (annotations.md).
pub(crate) fn image(config: &[u8], layers: Vec<Value>, annotations: &BTreeMap<String, String>) -> Vec<u8> {
    let mut manifest = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(OCI_CONFIG, &Digest::of(config), config.len() as u64),
        "layers": layers,
    });
    if !annotations.is_empty() {
        manifest["annotations"] = json!(annotations);
    }
    manifest.to_string().into_bytes()
}

/// Makes an index of manifests with these descriptors (image-index.md), and with these annotations.
pub(crate) fn index(manifests: &[Value], annotations: &BTreeMap<String, String>) -> Vec<u8> {
    let mut index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests});
    if !annotations.is_empty() {
        index["annotations"] = json!(annotations);
    }
    index.to_string().into_bytes()
}
