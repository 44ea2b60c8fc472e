//! Unpacks what an image lacks: one that was pushed here is listed with its blobs alone, until somebody wants its files.
//!
//! Runs in the shell command's process.

use super::index::{Entry, Index};
use super::repair::Parts;
use super::{Image, Store};
use crate::digest::Digest;
use crate::install::{InstallError, Installation};
use crate::progress::Progress;

impl Store {
    /// Returns the image with every layer unpacked. Blocks; nothing happens if they all are.
    ///
    /// # Errors
    /// [`InstallError`]; layers that were unpacked stay.
    pub fn complete(&self, image: Image, progress: &dyn Progress) -> Result<Image, InstallError> {
        if self.layers(&image).is_ok() {
            return Ok(image);
        }
        let index = Index::read(&self.images)?;
        let entry = index.manifests.iter().find(|entry| entry.id().as_ref() == Some(&image.id)).cloned();
        // One of several platforms may have no entry of its own.
        let own = || Entry::new(String::new(), image.manifest.clone(), 0, None).of_image(&image.id);
        self.install_missing(self.parts_of(&entry.unwrap_or_else(own))?, progress)?;
        let complete = self.nameless(&image.id, &image.manifest)?;
        Ok(Image { references: image.references, repo_digests: image.repo_digests, ..complete })
    }

    /// Unpacks the layers that are not, of an image whose blobs are here; returns their diff IDs.
    pub(super) fn install_missing(&self, parts: Parts, progress: &dyn Progress) -> Result<Vec<Digest>, InstallError> {
        let Parts { needs, chain, layers } = parts;
        let missing: Vec<_> = layers.into_iter().filter(|layer| !self.has_layer(&chain[layer.position])).collect();
        if missing.is_empty() {
            return Ok(Vec::new());
        }
        let (lease, listed) = self.begin(&needs)?;
        // What is missing may be there in part: it is made anew.
        missing.iter().try_for_each(|layer| self.clear_layer(&chain[layer.position]))?;
        Installation::new(self, &lease, &listed, progress).install(&chain, &missing)?;
        Ok(missing.iter().map(|layer| chain[layer.position].diff_id.clone()).collect())
    }
}
