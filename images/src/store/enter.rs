//! Images that were put together here, from an archive or from a container, and their way into the index.
//!
//! Runs in the shell command's process.

use oci_spec::image::{ImageConfiguration, ImageManifest};
use serde_json::{Value, json};

use super::error::StoreError;
use super::index::{Entry, EntryPlatform, Index};
use super::layers::LayerIds;
use super::lease::Needs;
use super::{Image, Store};
use crate::digest::Digest;
use crate::manifest::{self, ManifestError};
use crate::reference::Reference;

/// An image's documents, complete and in accord with one another; its layers may not be here yet.
#[derive(Debug, Clone)]
pub(crate) struct Assembled {
    /// Digest of the configuration: the image id.
    pub(crate) id: Digest,
    pub(crate) config: ImageConfiguration,
    config_bytes: Vec<u8>,
    pub(crate) manifest: ImageManifest,
    manifest_digest: Digest,
    manifest_bytes: Vec<u8>,
    /// Each layer's digests, bottom first.
    pub(crate) chain: Vec<LayerIds>,
    /// The index that its names are to stand for; all of that is here by then.
    index: Option<Digest>,
}

impl Assembled {
    /// Reads the documents.
    ///
    /// # Errors
    /// [`ManifestError`] if they are malformed, or do not fit each other.
    pub(crate) fn new(config_bytes: Vec<u8>, manifest_bytes: Vec<u8>) -> Result<Assembled, ManifestError> {
        let (id, manifest_digest) = (Digest::of(&config_bytes), Digest::of(&manifest_bytes));
        let (config, _) = manifest::parse_config(&config_bytes, &id)?;
        let syntax = |source| ManifestError::Syntax { what: "manifest", digest: manifest_digest.clone(), source };
        let manifest = serde_json::from_slice(&manifest_bytes).map_err(syntax)?;
        let digests = manifest::rootfs_digests(&config, &manifest, &manifest_digest)?;
        let chain = digests.into_iter().map(|(diff_id, chain_id)| LayerIds { diff_id, chain_id }).collect();
        let index = None;
        Ok(Assembled { id, config, config_bytes, manifest, manifest_digest, manifest_bytes, chain, index })
    }

    /// Lists everything the image consists of.
    pub(crate) fn needs(&self) -> Result<Needs, ManifestError> {
        let layers = self.manifest.layers().iter().map(manifest::descriptor_digest);
        let own = [self.id.clone(), self.manifest_digest.clone()].map(Ok);
        let blobs = layers.chain(own).collect::<Result<_, _>>()?;
        let keys = |ids: &LayerIds| [ids.diff_id.clone(), ids.chain_id.clone()];
        Ok(Needs { blobs, layers: self.chain.iter().flat_map(keys).collect() })
    }

    /// Makes its names stand for an index that has it.
    pub(crate) fn in_index(self, index: Digest) -> Assembled {
        Assembled { index: Some(index), ..self }
    }

    /// Returns the digest of its manifest.
    pub(crate) fn manifest_digest(&self) -> &Digest {
        &self.manifest_digest
    }

    /// Returns its documents: the configuration, the manifest.
    pub(crate) fn documents(&self) -> [&[u8]; 2] {
        [&self.config_bytes, &self.manifest_bytes]
    }

    /// Makes the descriptor by which an index has it.
    pub(crate) fn descriptor(&self) -> Value {
        let size = self.manifest_bytes.len() as u64;
        let mut descriptor = manifest::descriptor(&self.media_type(), &self.manifest_digest, size);
        descriptor["platform"] = json!(EntryPlatform::of(&self.config));
        descriptor
    }

    fn media_type(&self) -> String {
        let said = self.manifest.media_type().as_ref().map(ToString::to_string);
        said.unwrap_or_else(|| manifest::OCI_MANIFEST.to_owned())
    }

    fn entry(&self) -> Entry {
        let platform = EntryPlatform::of(&self.config);
        let size = self.manifest_bytes.len() as u64;
        let entry = Entry::new(self.media_type(), self.manifest_digest.clone(), size, Some(platform));
        let entry = entry.of_image(&self.id);
        match &self.index {
            Some(index) => entry.in_index(index),
            None => entry,
        }
    }
}

impl Store {
    /// Lists images whose layers are here, each under its names, durably: first everything else, then the index.
    ///
    /// Returns them in the same order.
    pub(crate) fn enter(&self, images: &[(Assembled, Vec<Reference>)]) -> Result<Vec<Image>, StoreError> {
        for (image, _) in images {
            self.blobs.write(&image.id, &image.config_bytes)?;
            self.blobs.write(&image.manifest_digest, &image.manifest_bytes)?;
        }
        self.sync()?;
        let _lock = self.lock()?;
        let mut index = Index::read(&self.images)?;
        let mut is_new = false;
        for (image, references) in images {
            for reference in references {
                is_new |= index.set(reference, image.entry().called(reference));
            }
            is_new |= index.add(image.entry());
        }
        if is_new {
            index.write(&self.images)?;
        }
        images.iter().map(|(image, _)| self.load(&index, &image.id)).collect()
    }
}
