//! What images take on the disk, and what of it they share.
//!
//! Runs in the shell command's process; only reads.

use std::collections::BTreeMap;

use super::error::StoreError;
use super::index::Index;
use super::{Image, Node, Store};
use crate::digest::Digest;

/// What all images take, in bytes: blobs as they are stored, and the regular files of unpacked layers.
#[derive(Debug)]
pub struct Usage {
    /// Each image with its share.
    pub images: Vec<ImageUsage>,
    /// Everything once.
    pub total: u64,
    /// What would be free if the images in no use were gone.
    pub reclaimable: u64,
}

/// What one image takes.
#[derive(Debug)]
pub struct ImageUsage {
    /// The image.
    pub image: Image,
    /// Bytes that other images need too.
    pub shared: u64,
    /// Bytes that only this image needs.
    pub unique: u64,
}

/// A file or directory that an image needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Blob(Digest),
    Layer(Digest),
}

impl Store {
    /// Adds up what images take; `is_in_use` says which of them could not be removed.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if the index cannot be read. An image that cannot be read counts as nothing.
    pub fn usage(&self, is_in_use: &dyn Fn(&Image) -> bool) -> Result<Usage, StoreError> {
        let images = self.list()?;
        let index = Index::read(&self.images)?;
        let parts: Vec<_> = images.iter().map(|image| self.parts(&index, image)).collect();
        let mut users: BTreeMap<&Part, (u64, usize, bool)> = BTreeMap::new();
        for (image, parts) in images.iter().zip(&parts) {
            let in_use = is_in_use(image);
            for (part, size) in parts {
                let (_, count, is_needed) = users.entry(part).or_insert((*size, 0, false));
                *count += 1;
                *is_needed |= in_use;
            }
        }
        let total = users.values().map(|(size, ..)| size).sum();
        let reclaimable = users.values().filter(|(.., is_needed)| !is_needed).map(|(size, ..)| size).sum();
        let share = |parts: &BTreeMap<Part, u64>, is_shared: bool| {
            parts.iter().filter(|(part, _)| (users[part].1 > 1) == is_shared).map(|(_, size)| size).sum()
        };
        let shares: Vec<_> = parts.iter().map(|parts| (share(parts, true), share(parts, false))).collect();
        let images = images.into_iter().zip(shares);
        let images = images.map(|(image, (shared, unique))| ImageUsage { image, shared, unique }).collect();
        Ok(Usage { images, total, reclaimable })
    }

    fn parts(&self, index: &Index, image: &Image) -> BTreeMap<Part, u64> {
        let layers = image.layers.iter().zip(&image.layer_sizes);
        let mut parts: BTreeMap<_, _> = layers.map(|(key, size)| (Part::Layer(key.digest().clone()), *size)).collect();
        let manifests = index.manifests.iter().filter(|entry| entry.id().as_ref() == Some(&image.id));
        for entry in manifests {
            let nodes = self.documents(entry).unwrap_or_default();
            let documents = nodes.iter().map(|node| node.digest.clone());
            let blobs = nodes.iter().flat_map(Node::blobs).map(|(blob, _)| blob).chain(documents);
            for blob in blobs.chain([image.id.clone()]) {
                let size = self.blobs.size(&blob).unwrap_or(0);
                parts.insert(Part::Blob(blob), size);
            }
        }
        parts
    }
}
