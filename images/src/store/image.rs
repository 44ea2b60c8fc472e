//! Images as the store has them: the entries of the index, one image an id, with configuration and layers.
//!
//! Runs in the shell command's process; only reads.

use oci_spec::image::{ImageConfiguration, ImageManifest};

use super::error::StoreError;
use super::index::{Entry, Index};
use super::layers::{Found, LayerIds};
use super::lease::Needs;
use super::{Image, LayerKey, Store};
use crate::digest::Digest;
use crate::manifest::{self, Healthcheck, LARGEST_CONFIG, LARGEST_MANIFEST};

impl Store {
    /// Loads the image `id` of `index`.
    pub(super) fn load(&self, index: &Index, id: &Digest) -> Result<Image, StoreError> {
        let entries: Vec<&Entry> = index.manifests.iter().filter(|entry| entry.id().as_ref() == Some(id)).collect();
        let Some(first) = entries.first() else { return Err(StoreError::NoSuchImage(id.to_string())) };
        let mut references: Vec<_> = entries.iter().filter_map(|entry| entry.reference()).collect();
        references.sort();
        let digests = entries.iter().filter_map(|entry| entry.repo_digest());
        let mut repo_digests: Vec<String> = digests.map(|reference| reference.familiar()).collect();
        repo_digests.sort();
        repo_digests.dedup();
        Ok(Image { references, repo_digests, ..self.nameless(id, &first.digest)? })
    }

    /// Loads the image that these documents are of, without its names.
    pub(super) fn nameless(&self, id: &Digest, manifest: &Digest) -> Result<Image, StoreError> {
        let (config, healthcheck) = self.read_config(id)?;
        let ids = self.layer_ids(&config, id)?;
        let found: Vec<_> = ids.iter().map(|ids| self.layers.find_listed(ids)).collect();
        let layer_sizes: Vec<u64> = found.iter().map(|found| found.as_ref().map_or(0, |found| found.size)).collect();
        let size = layer_sizes.iter().sum();
        let describes_root = |found: &Option<_>| found.as_ref().is_some_and(|found: &Found| found.describes_root);
        let root_layer = found.iter().rposition(describes_root);
        let keys = found.into_iter().zip(ids).map(|(found, ids)| found.map_or(ids.diff_id, |found| found.key));
        let layers = keys.map(LayerKey).collect();
        let (id, manifest, references, repo_digests) = (id.clone(), manifest.clone(), Vec::new(), Vec::new());
        Ok(Image { id, manifest, references, repo_digests, config, healthcheck, size, layers, layer_sizes, root_layer })
    }

    /// Returns an image's configuration as it is written, with what the OCI form does not know.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn raw_config(&self, image: &Image) -> Result<serde_json::Value, StoreError> {
        let damaged = |why: String| StoreError::Damaged { path: self.blobs.path(&image.id), why };
        let bytes = self.blobs.read(&image.id, LARGEST_CONFIG);
        let bytes = bytes.ok_or_else(|| damaged("it is absent or its content has another digest".to_owned()))?;
        serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))
    }

    /// Reads the manifest of an image.
    pub(crate) fn manifest(&self, digest: &Digest) -> Result<(ImageManifest, Vec<u8>), StoreError> {
        let damaged = |why: String| StoreError::Damaged { path: self.blobs.path(digest), why };
        let bytes = self.blobs.read(digest, LARGEST_MANIFEST);
        let bytes = bytes.ok_or_else(|| damaged("it is absent or its content has another digest".to_owned()))?;
        let manifest = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        Ok((manifest, bytes))
    }

    fn read_config(&self, id: &Digest) -> Result<(ImageConfiguration, Option<Healthcheck>), StoreError> {
        let damaged = |why: String| StoreError::Damaged { path: self.blobs.path(id), why };
        let bytes = self.blobs.read(id, LARGEST_CONFIG);
        let bytes = bytes.ok_or_else(|| {
            damaged("it is absent or its content has another digest; pull the image again".to_owned())
        })?;
        manifest::parse_config(&bytes, id).map_err(|error| damaged(error.to_string()))
    }

    /// Returns the digests of an image's layers, bottom first.
    pub(super) fn chain_of(&self, id: &Digest) -> Result<Vec<LayerIds>, StoreError> {
        let (config, _) = self.read_config(id)?;
        self.layer_ids(&config, id)
    }

    fn layer_ids(&self, config: &ImageConfiguration, id: &Digest) -> Result<Vec<LayerIds>, StoreError> {
        let damaged = |why: String| StoreError::Damaged { path: self.blobs.path(id), why };
        let digests = manifest::chain(config).map_err(|error| damaged(error.to_string()))?;
        Ok(digests.into_iter().map(|(diff_id, chain_id)| LayerIds { diff_id, chain_id }).collect())
    }

    /// Lists what an entry needs: its documents, their blobs, and the layers' directories if it is an image.
    pub(super) fn needs(&self, entry: &Entry) -> Result<Needs, StoreError> {
        let mut needs = Needs::default();
        for node in self.documents(entry)? {
            needs.blobs.extend(node.blobs().into_iter().map(|(digest, _)| digest));
            needs.blobs.insert(node.digest);
        }
        if let Some(id) = entry.id() {
            let (config, _) = self.read_config(&id)?;
            for ids in self.layer_ids(&config, &id)? {
                needs.layers.extend([ids.diff_id, ids.chain_id]);
            }
            needs.blobs.insert(id);
        }
        Ok(needs)
    }
}
