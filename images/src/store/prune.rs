//! `prune`: removes many images at once, with one sweep.
//!
//! Runs in the shell command's process, under the store's lock; the files go after the lock.

use super::error::StoreError;
use super::index::{Entry, Index};
use super::{Image, Removed, Store};
use crate::digest::Digest;

/// What a prune has done.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Names and images, in order.
    pub removed: Vec<Removed>,
    /// Bytes of blobs, and of the layers' regular files, that nothing needs any more.
    pub bytes: u64,
}

impl Store {
    /// Removes the images that `is_unwanted`, with all their names, and everything that no image needs.
    ///
    /// `is_unwanted` is asked under the store's lock, so what it says about users is true until the image is gone.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if the index cannot be read, [`StoreError::File`].
    pub fn prune(&self, is_unwanted: &dyn Fn(&Image) -> bool) -> Result<Pruned, StoreError> {
        let lock = self.lock()?;
        let mut index = Index::read(&self.images)?;
        let mut ids: Vec<Digest> = index.manifests.iter().filter_map(Entry::id).collect();
        ids.sort();
        ids.dedup();
        let mut pruned = Pruned::default();
        let images: Vec<_> = ids.iter().filter_map(|id| self.load(&index, id).ok()).collect();
        for image in images.into_iter().filter(is_unwanted) {
            index.manifests.retain(|entry| entry.id().as_ref() != Some(&image.id));
            pruned.removed.extend(image.references.iter().map(|name| Removed::Untagged(name.familiar())));
            pruned.removed.push(Removed::Deleted(image.id));
        }
        if !pruned.removed.is_empty() {
            index.write(&self.images)?;
        }
        let swept = self.sweep(&index)?;
        drop(lock);
        pruned.removed.extend(swept.layers.iter().cloned().map(Removed::Deleted));
        pruned.bytes = swept.bytes;
        swept.finish()?;
        Ok(pruned)
    }
}
