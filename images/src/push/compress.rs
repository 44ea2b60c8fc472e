//! Compresses the layers of an image that was made here, when it is pushed for the first time (adr/0038).
//!
//! Runs in the shell command's process, a thread for each processor. What an image is stays the same, id included; its
//! manifest is another one from then on, which lists the compressed layers. What was compressed once is not again.

use std::io;
use std::panic::resume_unwind;
use std::sync::{Mutex, PoisonError};
use std::thread;

use oci_spec::image::ImageManifest;
use serde_json::{Value, json};

use super::PushError;
use crate::build::{BlobRecord, Cache};
use crate::content::{Content, Gzip, copy};
use crate::digest::Digest;
use crate::layer::Compression;
use crate::manifest::ManifestError;
use crate::reference::Reference;
use crate::store::{Entry, Known, Needs, Store, StoreError};

/// Tells whether an image has plain layers.
pub(super) fn is_needed(manifest: &ImageManifest) -> bool {
    manifest.layers().iter().any(|layer| is_plain(layer.media_type().as_ref()))
}

fn is_plain(media_type: &str) -> bool {
    Compression::of(media_type) == Some(Compression::None)
}

/// A plain layer, and what it became.
struct Layer {
    plain: Digest,
    compressed: Option<BlobRecord>,
}

/// Lists `reference` as the same image with compressed layers.
pub(super) fn compress(store: &Store, reference: &Reference, known: &Known, manifest: &[u8]) -> Result<(), PushError> {
    let syntax = |source| ManifestError::Syntax { what: "manifest", digest: known.manifest.clone(), source };
    let mut document: Value = serde_json::from_slice(manifest).map_err(syntax)?;
    let lease = store.begin_push()?;
    let cache = Cache::open(store.root())?;
    let is_there = |blob: &BlobRecord| store.blobs().has(&blob.digest, blob.size);
    let mut layers: Vec<Layer> = plain_layers(&mut document)
        .map(|(plain, _)| Layer { compressed: cache.blob(&plain).filter(is_there), plain })
        .collect();
    let needs = |layers: &[Layer], own: &[Digest]| {
        let all =
            layers.iter().flat_map(|layer| [Some(&layer.plain), layer.compressed.as_ref().map(|blob| &blob.digest)]);
        Needs { blobs: all.flatten().chain(own).cloned().collect(), ..Needs::default() }
    };
    store.renew(&lease, &needs(&layers, &[]))?;
    // Only now nobody takes them away any more.
    layers.iter_mut().for_each(|layer| layer.compressed = layer.compressed.take().filter(is_there));
    let made = compress_all(store, &mut layers)?;
    describe(&mut document, &layers);
    let bytes = document.to_string().into_bytes();
    let digest = Digest::of(&bytes);
    store.renew(&lease, &needs(&layers, std::slice::from_ref(&digest)))?;
    for (plain, blob, content) in made {
        store.blobs().keep(&blob.digest, &content)?;
        cache.add_blob(&plain, &blob)?;
    }
    store.blobs().write(&digest, &bytes)?;
    store.sync()?;
    let entry = Entry::new(known.media_type.clone(), digest.clone(), bytes.len() as u64, known.platform.clone());
    store.publish(reference, &known.id, entry.of_image(&known.id).called(reference))?;
    Ok(())
}

/// Lists the descriptors of plain layers with their digests.
fn plain_layers(manifest: &mut Value) -> impl Iterator<Item = (Digest, &mut Value)> {
    let layers = manifest["layers"].as_array_mut().into_iter().flatten();
    let plain = layers.filter(|layer| layer["mediaType"].as_str().is_some_and(is_plain));
    plain.filter_map(|layer| Some((layer["digest"].as_str()?.parse().ok()?, layer)))
}

/// Puts the compressed layers in the places of the plain ones; Docker's form of a manifest has layers of its own kind.
fn describe(manifest: &mut Value, layers: &[Layer]) {
    for (plain, descriptor) in plain_layers(manifest) {
        let layer = layers.iter().find(|layer| layer.plain == plain);
        let Some(blob) = layer.and_then(|layer| layer.compressed.as_ref()) else { continue };
        let media_type = descriptor["mediaType"].as_str().unwrap_or_default();
        let suffix = if media_type.starts_with("application/vnd.docker.") { ".gzip" } else { "+gzip" };
        descriptor["mediaType"] = json!(format!("{media_type}{suffix}"));
        (descriptor["digest"], descriptor["size"]) = (json!(blob.digest), json!(blob.size));
    }
}

/// Compresses what is not yet; returns it by the digests of the plain layers, in files without names.
fn compress_all(store: &Store, layers: &mut [Layer]) -> Result<Vec<(Digest, BlobRecord, Content)>, PushError> {
    let (left, made) = (Mutex::new(layers.iter_mut()), Mutex::new(Vec::new()));
    let next = || left.lock().unwrap_or_else(PoisonError::into_inner).find(|layer| layer.compressed.is_none());
    let worker = || -> Result<(), StoreError> {
        while let Some(layer) = next() {
            let (blob, content) = compress_one(store, &layer.plain)?;
            layer.compressed = Some(blob.clone());
            made.lock().unwrap_or_else(PoisonError::into_inner).push((layer.plain.clone(), blob, content));
        }
        Ok(())
    };
    let count = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..count).map(|_| scope.spawn(worker)).collect();
        let results = threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        results.collect::<Result<Vec<_>, _>>()
    })?;
    Ok(made.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn compress_one(store: &Store, plain: &Digest) -> Result<(BlobRecord, Content), StoreError> {
    let path = store.blobs().path(plain);
    let failed = |source: io::Error| StoreError::File { act: "compress", path: path.clone(), source };
    let content = store.blobs().content(plain)?;
    let mut gzip = Gzip::new(store.blobs().spool()?);
    let compressed = copy(&mut content.reader(), &mut gzip).and_then(|()| gzip.finish()).map_err(failed)?;
    if compressed.plain != *plain {
        let why = "its content has another digest: build or load the image again".to_owned();
        return Err(StoreError::Damaged { path, why });
    }
    let blob = BlobRecord { digest: compressed.digest, size: compressed.content.length() };
    Ok((blob, compressed.content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressed_layers_take_the_places_of_plain_ones() {
        let digest = |text: &str| Digest::of(text.as_bytes());
        let (oci, docker) = ("application/vnd.oci.image.layer.v1.tar", "application/vnd.docker.image.rootfs.diff.tar");
        let mut manifest = json!({"layers": [
            {"mediaType": oci, "digest": digest("a"), "size": 10},
            {"mediaType": format!("{oci}+zstd"), "digest": digest("b"), "size": 20},
            {"mediaType": docker, "digest": digest("c"), "size": 30},
        ]});
        let layers: Vec<Layer> = plain_layers(&mut manifest)
            .map(|(plain, _)| Layer {
                compressed: Some(BlobRecord { digest: Digest::of(plain.as_str().as_bytes()), size: 1 }),
                plain,
            })
            .collect();
        describe(&mut manifest, &layers);
        let became = |name: &str| Digest::of(digest(name).as_str().as_bytes());
        let expected = json!({"layers": [
            {"mediaType": format!("{oci}+gzip"), "digest": became("a"), "size": 1},
            {"mediaType": format!("{oci}+zstd"), "digest": digest("b"), "size": 20},
            {"mediaType": format!("{docker}.gzip"), "digest": became("c"), "size": 1},
        ]});
        assert_eq!(manifest, expected);
    }
}
