//! Builds small images and puts them into a [`Registry`].

use std::io::Write;

use flate2::write::GzEncoder;
use lighter_images::digest::Digest;
use serde_json::{Value, json};

use crate::mock::Registry;

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// How a layer is compressed.
#[derive(Clone, Copy)]
pub(crate) enum Packing {
    Plain,
    Gzip,
    Zstd,
}

/// One layer: its blob, and the digest of its archive.
pub(crate) struct Layer {
    pub(crate) blob: Vec<u8>,
    diff_id: Digest,
    media_type: &'static str,
}

impl Layer {
    /// A layer of files, name and content; a name that ends with a slash is a directory.
    pub(crate) fn of(files: &[(&str, &[u8])], packing: Packing) -> Layer {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, content) in files {
            let mut header = tar::Header::new_gnu();
            let is_directory = name.ends_with('/');
            header.set_entry_type(if is_directory { tar::EntryType::Directory } else { tar::EntryType::Regular });
            header.set_mode(if is_directory { 0o755 } else { 0o644 });
            header.set_size(content.len() as u64);
            builder.append_data(&mut header, name, *content).expect("an archive in memory takes anything");
        }
        let archive = builder.into_inner().expect("an archive in memory takes anything");
        let diff_id = Digest::of(&archive);
        let (blob, media_type) = match packing {
            Packing::Plain => (archive, "application/vnd.oci.image.layer.v1.tar"),
            Packing::Gzip => (gzip(&archive), "application/vnd.oci.image.layer.v1.tar+gzip"),
            Packing::Zstd => (
                zstd::encode_all(&archive[..], 3).expect("zstd compresses anything"),
                "application/vnd.oci.image.layer.v1.tar+zstd",
            ),
        };
        Layer { blob, diff_id, media_type }
    }

    /// Returns the digest of the blob.
    pub(crate) fn digest(&self) -> Digest {
        Digest::of(&self.blob)
    }
}

fn gzip(archive: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(archive).and_then(|()| encoder.finish()).expect("gzip compresses anything")
}

/// Content that gzip cannot shrink, so that a blob has a size worth interrupting.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// Puts an image into the registry and returns the digest of its manifest.
pub(crate) fn publish(registry: &Registry, repository: &str, tag: &str, layers: &[Layer]) -> Digest {
    let manifest = manifest(registry, repository, layers, "amd64");
    registry.manifest(repository, tag, MANIFEST, manifest.to_string().as_bytes())
}

/// Puts blobs and configuration into the registry and returns the manifest.
pub(crate) fn manifest(registry: &Registry, repository: &str, layers: &[Layer], architecture: &str) -> Value {
    let diff_ids: Vec<&Digest> = layers.iter().map(|layer| &layer.diff_id).collect();
    let config = json!({
        "architecture": architecture, "os": "linux",
        "config": {"Cmd": ["/hello"], "Healthcheck": {"Test": ["CMD", "true"]}},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    });
    let config = config.to_string();
    let config_digest = registry.blob(repository, config.as_bytes());
    let descriptors: Vec<Value> = layers
        .iter()
        .map(|layer| {
            let digest = registry.blob(repository, &layer.blob);
            json!({"mediaType": layer.media_type, "digest": digest, "size": layer.blob.len()})
        })
        .collect();
    json!({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json", "digest": config_digest, "size": config.len(),
        },
        "layers": descriptors,
    })
}
