//! What a pull does to the store, besides blobs and layers: leases, the layers' appearance, and at last the name.
//!
//! Runs in the shell command's process.

use std::collections::HashSet;
use std::fs::File;

use nix::unistd::syncfs;

use super::error::{Context, StoreError};
use super::index::{Entry, Index};
use super::layers::NewLayer;
use super::lease::{Lease, Needs};
use super::{Blobs, Image, Layers, Store};
use crate::digest::Digest;
use crate::reference::Reference;

/// What images of the index had when a pull began; all of it is whole, and the pull's lease keeps what it needs of it.
pub(crate) struct Listed {
    /// Blobs.
    pub(crate) blobs: HashSet<Digest>,
    /// Diff IDs and chain IDs.
    pub(crate) layers: HashSet<Digest>,
}

impl Listed {
    /// Tells whether all of `needs` was there.
    pub(crate) fn has(&self, needs: &Needs) -> bool {
        needs.blobs.is_subset(&self.blobs) && needs.layers.is_subset(&self.layers)
    }
}

impl Store {
    /// Returns the blobs.
    pub(crate) fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    /// Returns the layers' directories.
    pub(crate) fn layer_directories(&self) -> &Layers {
        &self.layers
    }

    /// Takes a lease on what a pull needs, and clears away what killed ones left.
    pub(crate) fn begin(&self, needs: &Needs) -> Result<(Lease, Listed), StoreError> {
        let lock = self.lock()?;
        let index = Index::read(&self.images)?;
        let swept = self.sweep_leftovers()?;
        let lease = Lease::take(&self.leases(), needs)?;
        let mut listed = Listed { blobs: HashSet::new(), layers: HashSet::new() };
        // A damaged image vouches for nothing.
        for needs in index.manifests.iter().filter_map(|entry| self.needs(entry).ok()) {
            listed.blobs.extend(needs.blobs);
            listed.layers.extend(needs.layers);
        }
        drop(lock);
        swept.finish()?;
        Ok((lease, listed))
    }

    /// Makes an unpacked layer appear.
    ///
    /// An image of the index vouches for whatever has its layer's name, so a layer that one lists already is made durable
    /// before it appears; any other is by the pull's one syncfs(2), before its image is listed.
    pub(crate) fn commit_layer(&self, new: &NewLayer<'_>, listed: &Listed) -> Result<(), StoreError> {
        if [&new.ids.diff_id, &new.ids.chain_id].into_iter().any(|key| listed.layers.contains(key)) {
            self.sync()?;
        }
        let _lock = self.lock()?;
        self.layers.commit(new, &listed.layers)
    }

    /// Points `reference` at the image, all of whose files are durable: from here on it is listed, and whole.
    ///
    /// Returns the image, and whether the name pointed elsewhere before.
    pub(crate) fn publish(
        &self,
        reference: &Reference,
        id: &Digest,
        entry: Entry,
    ) -> Result<(Image, bool), StoreError> {
        let _lock = self.lock()?;
        let mut index = Index::read(&self.images)?;
        let is_new = index.set(reference, entry);
        index.write(&self.images)?;
        Ok((self.load(&index, id)?, is_new))
    }

    /// Flushes the file system that the store is on: syncfs(2), once for thousands of files.
    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        let root = File::open(&self.root).context("open", &self.root)?;
        syncfs(&root).context("flush the file system of", &self.root)
    }
}
