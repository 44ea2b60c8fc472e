//! From the state that a build ends with to an image: blobs of its layers, configuration, manifest.
//!
//! Runs in the shell command's process. The same state gives the same bytes.

use std::sync::PoisonError;

use serde_json::{Value, json};

use super::cache::BlobRecord;
use super::error::StepError;
use super::portable;
use super::remote_cache;
use super::request::CacheExtent;
use super::session::Build;
use super::state::{LayerRef, State};
use super::tree::open_root;
use crate::derive::{Upper, written};
use crate::digest::Digest;
use crate::layer::Compression;
use crate::manifest::{descriptor, image};
use crate::reference::Reference;
use crate::store::{Assembled, Image, LayerIds, Needs};

/// Lists the image of `state` under these names, durably, and with it everything that the build's steps gave.
///
/// # Errors
/// [`StepError`].
pub(crate) fn publish(build: &Build<'_>, state: &State, names: &[Reference]) -> Result<Image, StepError> {
    let store = build.with.store;
    let mut descriptors = Vec::new();
    let mut leases = Vec::new();
    for layer in &state.layers {
        let (descriptor, blob) = describe(build, layer)?;
        // The blob must last until the index has the image.
        leases.push(store.begin(&Needs { blobs: [blob].into(), layers: [layer.diff_id.clone()].into() })?.0);
        descriptors.push(descriptor);
    }
    let mut config = document(build, state);
    if build.request.has_inline_cache {
        config[remote_cache::FIELD] = json!(portable::steps(build, state, CacheExtent::Result)?);
    }
    let config = config.to_string().into_bytes();
    let manifest = image(&config, descriptors, &build.request.annotations);
    let assembled = Assembled::new(config, manifest)?;
    let mut entered = store.enter(&[(assembled, names.to_vec())])?;
    drop(leases);
    settle(build)?;
    Ok(entered.remove(0))
}

/// Notes that everything the build's steps gave is on the disk now.
fn settle(build: &Build<'_>) -> Result<(), StepError> {
    for key in build.fresh.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
        if let Some(mut record) = build.with.cache.find(&key) {
            record.is_durable = true;
            build.with.cache.add(&key, &record)?;
        }
    }
    Ok(())
}

/// Puts the configuration together; what has no time yet has that of what was done before it.
pub(crate) fn document(build: &Build<'_>, state: &State) -> Value {
    let mut config = state.config.clone();
    for (name, value) in &build.request.labels {
        config.put("Labels", name, json!(value));
    }
    let said = |entry: &Value| entry["created"].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let mut last = config.history.iter().find_map(said).unwrap_or_else(|| build.now());
    for entry in &mut config.history {
        match said(entry) {
            Some(time) => last = time,
            None => entry["created"] = json!(last),
        }
    }
    let created = build.request.latest_time.map_or(last, |_| build.now());
    let diff_ids: Vec<String> = state.layers.iter().map(|layer| layer.diff_id.to_string()).collect();
    config.document(&diff_ids, &created)
}

fn describe(build: &Build<'_>, layer: &LayerRef) -> Result<(Value, Digest), StepError> {
    if let Some(blob) = &layer.blob {
        // A manifest of the OCI form has layers of the OCI form; the blobs are the same.
        let oci = Compression::of(&blob.media_type).map(Compression::media_type);
        let media_type = oci.unwrap_or(&blob.media_type);
        return Ok((descriptor(media_type, &blob.digest, blob.size), blob.digest.clone()));
    }
    let missing = || StepError::Refused(format!("layer `{}` is gone: build again", layer.diff_id));
    let blob = blob_of(build, &layer.diff_id)?.ok_or_else(missing)?;
    Ok((descriptor(Compression::Gzip.media_type(), &blob.digest, blob.size), blob.digest))
}

/// Returns the blob of a layer that a step gave, compressing it unless that was done before; `None` if it is gone.
///
/// # Errors
/// [`StepError`].
pub(crate) fn blob_of(build: &Build<'_>, diff_id: &Digest) -> Result<Option<BlobRecord>, StepError> {
    let (store, cache) = (build.with.store, build.with.cache);
    if let Some(blob) = cache.blob(diff_id).filter(|blob| store.blobs().has(&blob.digest, blob.size)) {
        return Ok(Some(blob));
    }
    let ids = LayerIds { diff_id: diff_id.clone(), chain_id: diff_id.clone() };
    let listed = [diff_id.clone()].into();
    let Some(found) = store.layer_directories().find_whole(&ids, &listed) else { return Ok(None) };
    let open = StepError::io("open the layer");
    let directory = open_root(&store.layer_directories().files_of(&found.key)).map_err(open)?;
    let Some((content, layer)) =
        written(store, &[], Upper { directory, placeholders: &Default::default(), is_copy: false })?
    else {
        return Ok(None);
    };
    if layer.diff_id != *diff_id {
        return Err(StepError::Refused(format!(
            "layer `{diff_id}` has changed on the disk: remove it with `builder prune`"
        )));
    }
    let ingest = store.blobs().claim(&layer.blob)?;
    let kept = |source| StepError::Io { act: "keep the layer".to_owned(), source };
    match content.file().map_err(kept)? {
        Some(file) if ingest.adopt(file)? => ingest.discard()?,
        _ => {
            let mut writer = ingest.writer(0)?;
            std::io::copy(&mut content.reader(), &mut writer).map_err(kept)?;
            ingest.finish(writer)?;
        }
    }
    let blob = BlobRecord { digest: layer.blob, size: layer.size };
    cache.add_blob(diff_id, &blob)?;
    Ok(Some(blob))
}
