//! From a reference to the one image manifest and configuration that will run here.
//!
//! Runs in the shell command's process. Documents that the store has under their digest are not fetched again.

use oci_spec::image::{Descriptor, ImageConfiguration, ImageIndex, ImageManifest};

use super::error::PullError;
use crate::digest::Digest;
use crate::layer::CorruptBlob;
use crate::manifest::{self, Document, LARGEST_CONFIG, LARGEST_MANIFEST, ManifestError};
use crate::platform::Platform;
use crate::progress::{Event, Progress};
use crate::reference::Reference;
use crate::registry::Session;
use crate::store::Store;

/// Most indexes between a reference and its manifest; one is usual, two happen.
const DEEPEST: usize = 3;

/// An image, known down to its configuration.
pub(super) struct Resolved {
    /// Digest of what the registry served for the reference: an index or the manifest itself.
    pub(super) served: Digest,
    pub(super) manifest: ImageManifest,
    pub(super) manifest_digest: Digest,
    pub(super) manifest_bytes: Vec<u8>,
    pub(super) config: ImageConfiguration,
    pub(super) config_digest: Digest,
    pub(super) config_bytes: Vec<u8>,
}

impl Resolved {
    /// Returns the manifest's media type; OCI's where the document does not say.
    pub(super) fn media_type(&self) -> String {
        let said = self.manifest.media_type().as_ref().map(ToString::to_string);
        said.unwrap_or_else(|| "application/vnd.oci.image.manifest.v1+json".to_owned())
    }
}

/// What one pull works with.
pub(super) struct Errand<'a> {
    pub(super) store: &'a Store,
    pub(super) session: &'a Session,
    pub(super) reference: &'a Reference,
    pub(super) progress: &'a dyn Progress,
}

/// A document and its bytes.
struct Read {
    document: Document,
    digest: Digest,
    bytes: Vec<u8>,
}

impl Errand<'_> {
    /// Finds the reference's image for `wanted`.
    pub(super) fn resolve(&self, wanted: &Platform) -> Result<Resolved, PullError> {
        let (served, top) = match self.unchanged(wanted)? {
            Some(known) => known,
            None => self.top()?,
        };
        self.progress.report(Event::Resolved { reference: self.reference, digest: &served });
        let (manifest, manifest_digest, manifest_bytes) = self.descend(top, wanted)?;
        let (config, config_digest, config_bytes) = self.config(&manifest)?;
        Ok(Resolved { served, manifest, manifest_digest, manifest_bytes, config, config_digest, config_bytes })
    }

    /// Returns the manifest that the store has, if the reference still means it: a digest always does, a tag if the
    /// registry says so, which is not counted as a pull by those who count.
    fn unchanged(&self, wanted: &Platform) -> Result<Option<(Digest, Read)>, PullError> {
        let Some(known) = self.store.known(self.reference)?.filter(|known| known.suits(wanted)) else {
            return Ok(None);
        };
        let Some(bytes) = self.store.blobs().read(&known.manifest, LARGEST_MANIFEST) else { return Ok(None) };
        let served = match self.reference.digest() {
            Some(digest) => Some(digest.clone()),
            None => self.session.digest()?.filter(|digest| known.served.as_ref() == Some(digest)),
        };
        let Some(served) = served else { return Ok(None) };
        let document = Document::parse(&bytes, &known.manifest, None)?;
        Ok(Some((served, Read { document, digest: known.manifest, bytes })))
    }

    /// Asks the registry what the reference means now.
    fn top(&self) -> Result<(Digest, Read), PullError> {
        let served = self.session.manifest(None)?;
        let document = Document::parse(&served.bytes, &served.digest, served.media_type.as_deref())?;
        Ok((served.digest.clone(), Read { document, digest: served.digest, bytes: served.bytes }))
    }

    /// Goes down from an index to the manifest for `wanted`.
    fn descend(&self, mut read: Read, wanted: &Platform) -> Result<(ImageManifest, Digest, Vec<u8>), PullError> {
        for _ in 0..=DEEPEST {
            read = match read.document {
                Document::Manifest(manifest) => return Ok((*manifest, read.digest, read.bytes)),
                Document::Index(index) => self.child(&index, &read.digest, wanted)?,
            };
        }
        Err(PullError::TooDeep(read.digest))
    }

    fn child(&self, index: &ImageIndex, digest: &Digest, wanted: &Platform) -> Result<Read, PullError> {
        let descriptor = manifest::select(index, digest, wanted)?;
        let digest = manifest::descriptor_digest(descriptor)?;
        let bytes = match self.store.blobs().read(&digest, LARGEST_MANIFEST) {
            Some(bytes) => bytes,
            None => self.session.manifest(Some(&digest))?.bytes,
        };
        check_size(descriptor, &digest, bytes.len() as u64, self.reference)?;
        let document = Document::parse(&bytes, &digest, Some(descriptor.media_type().as_ref()))?;
        Ok(Read { document, digest, bytes })
    }

    fn config(&self, manifest: &ImageManifest) -> Result<(ImageConfiguration, Digest, Vec<u8>), PullError> {
        let descriptor = manifest.config();
        let digest = manifest::descriptor_digest(descriptor)?;
        let size = descriptor.size();
        if size > LARGEST_CONFIG {
            return Err(PullError::TooLarge { digest, size, limit: LARGEST_CONFIG });
        }
        let bytes = match self.store.blobs().read(&digest, LARGEST_CONFIG) {
            Some(bytes) => bytes,
            None => match self.fetch(&digest, size) {
                // A mirror may be wrong where the registry is right.
                Err(PullError::Corrupt { .. }) if self.session.distrust(&digest) => self.fetch(&digest, size)?,
                result => result?,
            },
        };
        check_size(descriptor, &digest, bytes.len() as u64, self.reference)?;
        let (config, _) = manifest::parse_config(&bytes, &digest)?;
        Ok((config, digest, bytes))
    }

    /// Fetches a small blob into memory and checks it.
    fn fetch(&self, digest: &Digest, size: u64) -> Result<Vec<u8>, PullError> {
        let mut blob = self.session.blob(digest, 0, size);
        let mut bytes = Vec::new();
        while let Some(piece) = blob.next()? {
            bytes.extend_from_slice(&piece);
            if bytes.len() as u64 > size {
                return Err(self.corrupt(digest, CorruptBlob::Longer { expected: size }));
            }
        }
        match Digest::of(&bytes) {
            actual if actual == *digest => Ok(bytes),
            actual => Err(self.corrupt(digest, CorruptBlob::Digest { actual })),
        }
    }

    fn corrupt(&self, digest: &Digest, source: CorruptBlob) -> PullError {
        PullError::Corrupt { digest: digest.clone(), reference: self.reference.familiar(), source }
    }
}

/// A descriptor's size is part of what it promises.
fn check_size(descriptor: &Descriptor, digest: &Digest, actual: u64, reference: &Reference) -> Result<(), PullError> {
    let expected = descriptor.size();
    if actual == expected {
        return Ok(());
    }
    let source = CorruptBlob::Shorter { expected, actual };
    Err(PullError::Corrupt { digest: digest.clone(), reference: reference.familiar(), source })
}

/// Checks a layer's media type.
pub(super) fn compression(
    descriptor: &Descriptor,
    digest: &Digest,
) -> Result<crate::layer::Compression, ManifestError> {
    let media_type = descriptor.media_type().to_string();
    crate::layer::Compression::of(&media_type).ok_or(ManifestError::Media { digest: digest.clone(), media_type })
}
