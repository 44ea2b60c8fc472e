//! The cache to carry between machines: `--cache-to` and `--cache-from`, as a folder or, in [`super::remote_cache`], as an
//! image of a registry.
//!
//! Runs in the shell command's process. What is read may be anybody's: a record is a claim, and its layer is unpacked as
//! that of any image, checked against the digest that the record names. A cache must be trusted all the same, as it says
//! what a step gives.
//!
//! ```text
//! FOLDER/steps/KEY   record, with the blob of its layer       FOLDER/blobs/sha256/HEX
//! ```

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::sync::PoisonError;

use serde::{Deserialize, Serialize};

use super::cache::{BlobRecord, Record};
use super::error::StepError;
use super::key;
use super::remote_cache;
use super::request::{CacheExtent, CachePlace};
use super::session::Build;
use super::state::State;
use crate::content::Content;
use crate::digest::Digest;
use crate::install::{Installation, LocalLayer};
use crate::layer::Compression;
use crate::progress::Silent;
use crate::store::{LayerIds, files};

/// Largest record in bytes.
const LARGEST: u64 = 1 << 20;

/// A record with the blob that brings its layer along.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Carried {
    pub(crate) record: Record,
    pub(crate) blob: Option<BlobRecord>,
}

/// Records by the keys of their steps.
pub(crate) type Steps = BTreeMap<Digest, Carried>;

/// Puts together what a cache has of a build that ended with `state`; the blobs are in the store.
pub(crate) fn steps(build: &Build<'_>, state: &State, extent: CacheExtent) -> Result<Steps, StepError> {
    let of_result = |diff_id: &Digest| state.layers.iter().any(|layer| layer.diff_id == *diff_id);
    let mut steps = Steps::new();
    for key in build.used.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        let Some(record) = build.with.cache.find(key) else { continue };
        let record = Record { is_durable: false, ..record };
        let Some(diff_id) = &record.diff_id else {
            steps.insert(key.clone(), Carried { record, blob: None });
            continue;
        };
        if (extent == CacheExtent::All || of_result(diff_id))
            && let Some(blob) = build.blob(diff_id, Compression::Gzip)?
        {
            steps.insert(key.clone(), Carried { record, blob: Some(blob) });
        }
    }
    Ok(steps)
}

fn blob_path(folder: &Path, digest: &Digest) -> std::path::PathBuf {
    folder.join("blobs").join("sha256").join(digest.hex())
}

/// Writes steps into a folder.
///
/// # Errors
/// [`StepError`]: the folder cannot be written.
pub(crate) fn export(build: &Build<'_>, steps: &Steps, folder: &Path) -> Result<(), StepError> {
    let failed = |source| StepError::Io { act: format!("write the cache to `{}`", folder.display()), source };
    for directory in [folder.join("steps"), folder.join("blobs/sha256")] {
        fs::create_dir_all(directory).map_err(failed)?;
    }
    for (key, carried) in steps {
        if let Some(blob) = &carried.blob {
            let target = blob_path(folder, &blob.digest);
            if !target.exists() {
                copy(&build.with.store.blobs().path(&blob.digest), &target).map_err(failed)?;
            }
        }
        let text = serde_json::to_vec(carried).map_err(|error| failed(error.into()))?;
        files::replace(&folder.join("steps").join(key.hex()), &text)?;
    }
    Ok(())
}

fn copy(source: &Path, target: &Path) -> std::io::Result<()> {
    let temporary = target.with_file_name(format!(".new-{}", files::random_name()));
    fs::copy(source, &temporary)?;
    fs::rename(&temporary, target)
}

/// Looks for a step elsewhere and takes its layer over; `None` if it is not there, or not whole.
///
/// # Errors
/// [`StepError`]: the layer is there and cannot be unpacked.
pub(crate) fn import(
    build: &Build<'_>,
    place: &CachePlace,
    key: &Digest,
    state: &State,
) -> Result<Option<Record>, StepError> {
    let Some(Carried { record, blob }) = find(build, place, key)?.filter(|carried| carried.record.version == 1) else {
        return Ok(None);
    };
    let (Some(diff_id), Some(blob)) = (&record.diff_id, blob) else {
        return Ok(record.diff_id.is_none().then_some(record));
    };
    let Some(file) = open(build, place, &blob)? else { return Ok(None) };
    let content = Content::whole(file).map_err(StepError::io(format!("read {}", shown(place))))?;
    let mut chain = Vec::new();
    let diff_ids: Vec<&Digest> = state.layers.iter().map(|layer| &layer.diff_id).chain([diff_id]).collect();
    for position in 0..diff_ids.len() {
        let chain_id = key::chain(diff_ids[..=position].iter().copied()).unwrap_or_else(|| diff_id.clone());
        chain.push(LayerIds { diff_id: diff_ids[position].clone(), chain_id });
    }
    let compression = Compression::Gzip;
    let (position, is_stored) = (chain.len() - 1, false);
    let layer = LocalLayer { position, blob: blob.digest.clone(), compression, content, is_stored };
    // First the record, which keeps the layer: in between, a sweep would take it.
    build.with.cache.add(key, &record)?;
    Installation::new(build.with.store, &build.lease, &build.listed, &Silent)
        .install(&chain, &[layer])
        .map_err(|error| StepError::Refused(format!("{} is damaged: {error}", shown(place))))?;
    build.with.cache.add_blob(diff_id, &blob)?;
    Ok(Some(record))
}

/// Looks for a record; one that is not well formed is as good as none.
fn find(build: &Build<'_>, place: &CachePlace, key: &Digest) -> Result<Option<Carried>, StepError> {
    match place {
        CachePlace::Folder(folder) => {
            let text = files::read(&folder.join("steps").join(key.hex()), LARGEST)?;
            Ok(text.and_then(|text| serde_json::from_slice(&text).ok()))
        }
        CachePlace::Image(reference) => Ok(remote_cache::steps(build, reference)?.get(key).cloned()),
    }
}

fn open(build: &Build<'_>, place: &CachePlace, blob: &BlobRecord) -> Result<Option<File>, StepError> {
    match place {
        CachePlace::Folder(folder) => Ok(File::open(blob_path(folder, &blob.digest)).ok()),
        CachePlace::Image(reference) => remote_cache::blob(build, reference, blob),
    }
}

fn shown(place: &CachePlace) -> String {
    match place {
        CachePlace::Folder(folder) => format!("the cache in `{}`", folder.display()),
        CachePlace::Image(reference) => format!("the cache in `{}`", reference.familiar()),
    }
}
