//! Manifests that are made here.
//!
//! Runs in the shell command's process; pure. The same image gives the same bytes. OCI image-spec, manifest.md.

use serde_json::{Value, json};

use super::document::{OCI_CONFIG, OCI_MANIFEST};
use crate::digest::Digest;

/// Makes a descriptor (descriptor.md).
pub(crate) fn descriptor(media_type: &str, digest: &Digest, size: u64) -> Value {
    json!({"mediaType": media_type, "digest": digest, "size": size})
}

/// Makes the manifest of an image with this configuration and the layers of these descriptors, bottom first.
pub(crate) fn image(config: &[u8], layers: Vec<Value>) -> Vec<u8> {
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(OCI_CONFIG, &Digest::of(config), config.len() as u64),
        "layers": layers,
    });
    manifest.to_string().into_bytes()
}
