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
use crate::layer::Compression;
use crate::manifest::{descriptor, image};
use crate::reference::Reference;
use crate::store::{Assembled, Image, Lease, Needs};

/// Lists the image of `state` under these names, durably, and with it everything that the build's steps gave; new layers
/// are compressed as `form` says.
///
/// # Errors
/// [`StepError`].
pub(crate) fn publish(
    build: &Build<'_>,
    state: &State,
    names: &[Reference],
    form: Compression,
) -> Result<Image, StepError> {
    let (assembled, lease) = assemble(build, state, form)?;
    let mut entered = build.with.store.enter(&[(assembled, names.to_vec())])?;
    drop(lease);
    settle(build)?;
    Ok(entered.remove(0))
}

/// Puts the image of `state` together; the lease keeps the blobs of its layers until the index has it.
pub(crate) fn assemble(build: &Build<'_>, state: &State, form: Compression) -> Result<(Assembled, Lease), StepError> {
    let (descriptors, lease) = describe_all(build, state, form)?;
    let mut config = document(build, state);
    if build.request.has_inline_cache {
        config[remote_cache::FIELD] = json!(portable::steps(build, state, CacheExtent::Result)?);
    }
    let config = config.to_string().into_bytes();
    let manifest = image(&config, descriptors, &build.request.annotations);
    Ok((Assembled::new(config, manifest)?, lease))
}

fn describe_all(build: &Build<'_>, state: &State, form: Compression) -> Result<(Vec<Value>, Lease), StepError> {
    let store = build.with.store;
    let lease = store.begin_push()?;
    let described = || state.layers.iter().map(|layer| describe(build, layer, form)).collect::<Result<Vec<_>, _>>();
    let mut all = described()?;
    let (blobs, layers) = (all.iter().map(|(_, blob)| blob.digest.clone()), &state.layers);
    let layers = layers.iter().map(|layer| layer.diff_id.clone()).collect();
    store.renew(&lease, &Needs { blobs: blobs.collect(), layers })?;
    if !all.iter().all(|(_, blob)| store.blobs().has(&blob.digest, blob.size)) {
        // Somebody has swept the store before the lease was there.
        all = described()?;
    }
    Ok((all.into_iter().map(|(descriptor, _)| descriptor).collect(), lease))
}

/// Notes that everything the build's steps gave is on the disk now.
pub(crate) fn settle(build: &Build<'_>) -> Result<(), StepError> {
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

/// Describes a layer, whose blob is made if need be; returns the blob as well.
fn describe(build: &Build<'_>, layer: &LayerRef, form: Compression) -> Result<(Value, BlobRecord), StepError> {
    if let Some(blob) = &layer.blob {
        // A manifest of the OCI form has layers of the OCI form; the blobs are the same.
        let oci = Compression::of(&blob.media_type).map(Compression::media_type);
        let (digest, size) = (blob.digest.clone(), blob.size);
        let described = descriptor(oci.unwrap_or(&blob.media_type), &digest, size);
        return Ok((described, BlobRecord { digest, size }));
    }
    let missing = || StepError::Refused(format!("layer `{}` is gone: build again", layer.diff_id));
    let blob = build.blob(&layer.diff_id, form)?.ok_or_else(missing)?;
    Ok((descriptor(form.media_type(), &blob.digest, blob.size), blob))
}
