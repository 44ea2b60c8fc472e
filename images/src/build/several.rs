//! One image for several platforms: an index of what builds for each of them gave.
//!
//! Runs in the shell command's process. The index and everything below it are blobs; the entry of the store's own index
//! is that of the image that runs here, and says which index its names stand for.

use std::collections::BTreeMap;

use super::Built;
use super::error::StepError;
use super::publish::{assemble, settle};
use crate::digest::Digest;
use crate::layer::Compression;
use crate::manifest;
use crate::platform::Platform;
use crate::reference::Reference;
use crate::store::{Assembled, Image, Needs, Store};

/// Lists an index of what was built under these names, durably.
///
/// Returns the image that runs here, or else the first, and the index's digest.
pub(crate) fn publish(
    all: &[Built<'_>],
    names: &[Reference],
    annotations: &BTreeMap<String, String>,
) -> Result<(Image, Digest), StepError> {
    let store = all[0].build.with.store;
    let assemble = |built: &Built<'_>| assemble(&built.build, &built.state, Compression::Gzip);
    let assembled = all.iter().map(assemble).collect::<Result<Vec<_>, _>>()?;
    let images: Vec<&Assembled> = assembled.iter().map(|(image, _)| image).collect();
    let descriptors: Vec<_> = images.iter().map(|image| image.descriptor()).collect();
    let index = manifest::index(&descriptors, annotations);
    let digest = Digest::of(&index);
    let documents = images.iter().flat_map(|image| image.documents()).chain([&*index]);
    let lease = write(store, &documents.collect::<Vec<_>>())?;
    let image = Assembled::clone(runs_here(&images)).in_index(digest.clone());
    let mut entered = store.enter(&[(image, names.to_vec())])?;
    drop((lease, assembled));
    all.iter().try_for_each(|built| settle(&built.build))?;
    Ok((entered.remove(0), digest))
}

/// Writes documents, which the lease keeps.
fn write(store: &Store, documents: &[&[u8]]) -> Result<crate::store::Lease, StepError> {
    let digests: Vec<Digest> = documents.iter().map(|document| Digest::of(document)).collect();
    let lease = store.begin_push()?;
    store.renew(&lease, &Needs { blobs: digests.iter().cloned().collect(), ..Needs::default() })?;
    for (digest, document) in digests.iter().zip(documents) {
        store.blobs().write(digest, document)?;
    }
    Ok(lease)
}

fn runs_here<'a>(images: &[&'a Assembled]) -> &'a Assembled {
    let host = Platform::host();
    let rank = |image: &&&Assembled| host.accepts(&Platform::of(&image.config)).unwrap_or(u32::MAX);
    images.iter().min_by_key(rank).copied().expect("a build is for one platform at least")
}
