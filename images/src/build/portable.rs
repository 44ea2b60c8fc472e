//! The cache as a folder, to carry between machines: `--cache-to` and `--cache-from`, `type=local`.
//!
//! Runs in the shell command's process. What is read may be anybody's: a record is a claim, and its layer is unpacked as
//! that of any image, checked against the digest that the record names. A folder must be trusted all the same, as it says
//! what a step gives.
//!
//! ```text
//! FOLDER/steps/KEY   record, with the blob of its layer       FOLDER/blobs/sha256/HEX
//! ```

use std::fs::{self, File};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::cache::{BlobRecord, Record};
use super::error::StepError;
use super::key;
use super::publish::blob_of;
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
#[derive(Debug, Serialize, Deserialize)]
struct Carried {
    record: Record,
    blob: Option<BlobRecord>,
}

fn blob_path(folder: &Path, digest: &Digest) -> std::path::PathBuf {
    folder.join("blobs").join("sha256").join(digest.hex())
}

/// Writes the steps that a build stands on into a folder.
///
/// # Errors
/// [`StepError`]: the folder cannot be written.
pub(crate) fn export(build: &Build<'_>, folder: &Path) -> Result<(), StepError> {
    let failed = |source| StepError::Io { act: format!("write the cache to `{}`", folder.display()), source };
    for directory in [folder.join("steps"), folder.join("blobs/sha256")] {
        fs::create_dir_all(directory).map_err(failed)?;
    }
    let keys = build.used.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    for key in keys {
        let Some(record) = build.with.cache.find(&key) else { continue };
        let blob = match &record.diff_id {
            None => None,
            Some(diff_id) => {
                let Some(blob) = blob_of(build, diff_id)? else { continue };
                let target = blob_path(folder, &blob.digest);
                if !target.exists() {
                    copy(&build.with.store.blobs().path(&blob.digest), &target).map_err(failed)?;
                }
                Some(blob)
            }
        };
        let record = Record { is_durable: false, ..record };
        let text = serde_json::to_vec(&Carried { record, blob }).map_err(|error| failed(error.into()))?;
        files::replace(&folder.join("steps").join(key.hex()), &text)?;
    }
    Ok(())
}

fn copy(source: &Path, target: &Path) -> std::io::Result<()> {
    let temporary = target.with_file_name(format!(".new-{}", files::random_name()));
    fs::copy(source, &temporary)?;
    fs::rename(&temporary, target)
}

/// Looks for a step in a folder and takes its layer over; `None` if the folder does not have it, or not whole.
///
/// # Errors
/// [`StepError`]: the layer is there and cannot be unpacked.
pub(crate) fn import(
    build: &Build<'_>,
    folder: &Path,
    key: &Digest,
    state: &State,
) -> Result<Option<Record>, StepError> {
    let Some(text) = files::read(&folder.join("steps").join(key.hex()), LARGEST)? else { return Ok(None) };
    let Ok(Carried { record, blob }) = serde_json::from_slice(&text) else { return Ok(None) };
    let (Some(diff_id), Some(blob)) = (&record.diff_id, blob) else {
        return Ok(record.diff_id.is_none().then_some(record));
    };
    let Ok(file) = File::open(blob_path(folder, &blob.digest)) else { return Ok(None) };
    let read = StepError::io(format!("read the cache in `{}`", folder.display()));
    let content = Content::whole(file).map_err(read)?;
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
        .map_err(|error| StepError::Refused(format!("the cache in `{}` is damaged: {error}", folder.display())))?;
    build.with.cache.add_blob(diff_id, &blob)?;
    Ok(Some(record))
}
