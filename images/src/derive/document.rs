//! Configuration and manifest of an image that is made here. OCI image-spec, config.md and manifest.md.
//!
//! Runs in the shell command's process. What the base's configuration has beyond the specification stays; what describes
//! the base's own making does not.

use serde_json::{Map, Value, json};

use super::DeriveError;
use crate::digest::Digest;
use crate::layer::Compression;
use crate::manifest::{self, ManifestError, descriptor, descriptor_digest};
use crate::platform::Platform;
use crate::reference::Reference;
use crate::store::{Assembled, Image, Store};

/// Docker's fields about the container that the base was made from.
const OF_THE_BASE: [&str; 6] = ["container", "container_config", "docker_version", "id", "parent", "parent_id"];

/// What an image says about itself, and its name.
#[derive(Debug, Clone, Default)]
pub struct Description {
    /// What it is listed under; `None` leaves it with its id.
    pub name: Option<Reference>,
    /// `config` of the configuration: environment, command and so on, in Docker's words.
    pub config: Map<String, Value>,
    /// When it is made, RFC 3339.
    pub created: String,
    /// The command that made the changes, for the history.
    pub created_by: String,
    /// Who made it.
    pub author: Option<String>,
    /// What was done, for the history.
    pub comment: Option<String>,
}

/// The layer that is new.
#[derive(Debug)]
pub(crate) struct NewLayer {
    pub(crate) blob: Digest,
    pub(crate) diff_id: Digest,
    pub(crate) size: u64,
    pub(crate) compression: Compression,
}

/// Describes `base` with another layer, or with none.
pub(super) fn derived(
    store: &Store,
    base: &Image,
    description: &Description,
    layer: Option<&NewLayer>,
) -> Result<Assembled, DeriveError> {
    let mut config = store.raw_config(base)?;
    if let Some(fields) = config.as_object_mut() {
        fields.retain(|name, _| !OF_THE_BASE.contains(&name.as_str()));
    }
    let (manifest, _) = store.manifest(&base.manifest)?;
    let mut layers = Vec::new();
    for layer in manifest.layers() {
        let digest = descriptor_digest(layer)?;
        let media_type = layer.media_type().to_string();
        // A manifest of the OCI form has layers of the OCI form; the blobs are the same.
        let compression =
            Compression::of(&media_type).ok_or(ManifestError::Media { digest: digest.clone(), media_type })?;
        layers.push(descriptor(compression.media_type(), &digest, layer.size()));
    }
    assembled(config, layers, description, layer)
}

/// Describes an image of one layer.
pub(super) fn imported(
    platform: &Platform,
    description: &Description,
    layer: &NewLayer,
) -> Result<Assembled, DeriveError> {
    let mut config = json!({"architecture": platform.architecture, "os": platform.os, "rootfs": {"type": "layers"}});
    if let Some(variant) = &platform.variant {
        config["variant"] = json!(variant);
    }
    assembled(config, Vec::new(), description, Some(layer))
}

fn assembled(
    mut config: Value,
    mut layers: Vec<Value>,
    description: &Description,
    layer: Option<&NewLayer>,
) -> Result<Assembled, DeriveError> {
    if let Some(layer) = layer {
        push(&mut config["rootfs"]["diff_ids"], json!(layer.diff_id));
        layers.push(descriptor(layer.compression.media_type(), &layer.blob, layer.size));
    } else if config["rootfs"]["diff_ids"].is_null() {
        config["rootfs"]["diff_ids"] = json!([]);
    }
    config["created"] = json!(description.created);
    config["config"] = Value::Object(description.config.clone());
    if let Some(author) = &description.author {
        config["author"] = json!(author);
    }
    push(&mut config["history"], history(description, layer.is_none()));
    let config = config.to_string().into_bytes();
    let manifest = manifest::image(&config, layers, &Default::default());
    Ok(Assembled::new(config, manifest)?)
}

fn history(description: &Description, is_empty: bool) -> Value {
    let mut entry = json!({"created": description.created});
    let texts = [
        ("created_by", Some(&description.created_by)),
        ("author", description.author.as_ref()),
        ("comment", description.comment.as_ref()),
    ];
    for (name, text) in texts {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            entry[name] = json!(text);
        }
    }
    if is_empty {
        entry["empty_layer"] = json!(true);
    }
    entry
}

/// Adds to a list that may not be there yet.
fn push(list: &mut Value, value: Value) {
    match list.as_array_mut() {
        Some(list) => list.push(value),
        None => *list = json!([value]),
    }
}
