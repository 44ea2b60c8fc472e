//! Unpacks an image that the store lists without its layers' directories, as one is that was pushed here.
//!
//! Runs in the shell command's process, like a pull whose reference the store itself resolves: blobs that are here and whole are
//! not fetched, and one that is damaged is asked for where the image came from.

use std::sync::atomic::AtomicBool;

use oci_spec::image::ImageManifest;

use super::error::PullError;
use super::layer::Layer;
use super::resolve::Resolved;
use super::workers::{self, Work};
use super::{PullOptions, needs};
use crate::digest::Digest;
use crate::manifest::{self, Document, LARGEST_CONFIG, LARGEST_MANIFEST};
use crate::progress::Progress;
use crate::reference::Reference;
use crate::registry::Session;
use crate::store::{Image, Store, StoreError};

/// Makes sure that every layer of `image` is unpacked. Blocks; nothing happens if all are.
///
/// # Errors
/// See [`PullError`]; layers that were unpacked stay.
pub fn unpack(store: &Store, image: &Image, options: &PullOptions, progress: &dyn Progress) -> Result<(), PullError> {
    if store.layers(image).is_ok() {
        return Ok(());
    }
    let resolved = resolve(store, image)?;
    let reference = &origin(image)?;
    let layers = Layer::all(&resolved)?;
    let (lease, listed) = store.begin(&needs(&resolved, &layers))?;
    let session = &Session::start(reference, &options.registries)?;
    let (aborted, has_changed) = (AtomicBool::new(false), AtomicBool::new(false));
    let (lease, listed) = (&lease, &listed);
    let work = Work { store, session, lease, listed, reference, progress, aborted, has_changed };
    workers::fetch_all(&work, &layers, options.max_concurrent_downloads)
}

/// Reads what a pull would fetch.
fn resolve(store: &Store, image: &Image) -> Result<Resolved, PullError> {
    let damaged = |digest: &Digest| {
        let why = "it is absent or its content has another digest; pull the image again".to_owned();
        StoreError::Damaged { path: store.blobs().path(digest), why }
    };
    let read = |digest: &Digest, limit| store.blobs().read(digest, limit).ok_or_else(|| damaged(digest));
    let (manifest_digest, config_digest) = (image.manifest.clone(), image.id.clone());
    let manifest_bytes = read(&manifest_digest, LARGEST_MANIFEST)?;
    let config_bytes = read(&config_digest, LARGEST_CONFIG)?;
    let manifest: ImageManifest = match Document::parse(&manifest_bytes, &manifest_digest, None)? {
        Document::Manifest(manifest) => *manifest,
        Document::Index(_) => return Err(damaged(&manifest_digest).into()),
    };
    let (config, _) = manifest::parse_config(&config_bytes, &config_digest)?;
    let served = manifest_digest.clone();
    Ok(Resolved { served, manifest, manifest_digest, manifest_bytes, config, config_digest, config_bytes })
}

/// Returns where the image came from: a name of it, or what a registry served.
fn origin(image: &Image) -> Result<Reference, PullError> {
    let served = || image.repo_digests.iter().find_map(|text| text.parse().ok());
    let origin = image.references.first().cloned().or_else(served);
    origin.ok_or_else(|| StoreError::NoSuchImage(image.id.to_string()).into())
}
