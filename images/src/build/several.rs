//! One image for several platforms, or one that brings its provenance along: an index of what builds gave.
//!
//! Runs in the shell command's process. The index and everything below it are blobs; the entry of the store's own index
//! is that of the image that runs here, and says which index its names stand for.

use std::collections::BTreeMap;

use super::Built;
use super::error::StepError;
use super::provenance::{Attestation, Provenance, Subject, attest};
use super::publish::{assemble, settle};
use crate::digest::Digest;
use crate::layer::Compression;
use crate::manifest;
use crate::platform::Platform;
use crate::reference::Reference;
use crate::store::{Assembled, Image, Lease, Needs, Store};

/// What an index says besides which images it has.
#[derive(Debug, Clone, Default)]
pub struct IndexOptions {
    /// `--annotation index:…`.
    pub annotations: BTreeMap<String, String>,
    /// `--provenance`.
    pub provenance: Option<Provenance>,
}

/// Lists an index of what was built under these names, durably.
///
/// Returns the image that runs here, or else the first, and the index's digest.
pub(crate) fn publish(
    all: &[Built<'_>],
    names: &[Reference],
    options: &IndexOptions,
) -> Result<(Image, Digest), StepError> {
    let store = all[0].build.with.store;
    let assemble = |built: &Built<'_>| assemble(&built.build, &built.state, Compression::Gzip);
    let assembled = all.iter().map(assemble).collect::<Result<Vec<_>, _>>()?;
    let images: Vec<&Assembled> = assembled.iter().map(|(image, _)| image).collect();
    let attestations = attestations(all, &images, names, options.provenance.as_ref());
    let descriptors = images.iter().map(|image| image.descriptor());
    let descriptors: Vec<_> = descriptors.chain(attestations.iter().map(|one| one.descriptor.clone())).collect();
    let index = manifest::index(&descriptors, &options.annotations);
    let digest = Digest::of(&index);
    let documents = images.iter().flat_map(|image| image.documents());
    let documents =
        documents.chain(attestations.iter().flat_map(|one| &one.documents).map(Vec::as_slice)).chain([&*index]);
    let lease = write(store, &documents.collect::<Vec<_>>())?;
    let image = Assembled::clone(runs_here(&images)).in_index(digest.clone());
    let mut entered = store.enter(&[(image, names.to_vec())])?;
    drop((lease, assembled));
    all.iter().try_for_each(|built| settle(&built.build))?;
    Ok((entered.remove(0), digest))
}

/// Tells of each image how it was built, if that is wanted.
fn attestations(
    all: &[Built<'_>],
    images: &[&Assembled],
    names: &[Reference],
    provenance: Option<&Provenance>,
) -> Vec<Attestation> {
    let attest = |how: &Provenance| -> Vec<Attestation> {
        let pairs = all.iter().zip(images);
        let one = |(built, image): (&Built<'_>, &&Assembled)| {
            let platform = Platform::of(&image.config);
            let subject = Subject { manifest: image.manifest_digest(), platform: &platform, names };
            attest(&built.build, &subject, how)
        };
        pairs.map(one).collect()
    };
    provenance.map(attest).unwrap_or_default()
}

/// Writes documents, which the lease keeps.
fn write(store: &Store, documents: &[&[u8]]) -> Result<Lease, StepError> {
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
