//! The images that one name stands for: those of its index, one for each platform (adr/0039).
//!
//! Runs in the shell command's process. Of those that the store's own index does not list, the blobs are here, and layers
//! only if something else has unpacked them.

use serde_json::Value;

use super::error::StoreError;
use super::index::{Entry, EntryPlatform, Index};
use super::{Image, Node, Removed, Store};
use crate::digest::Digest;
use crate::manifest::{Document, LARGEST_MANIFEST, OCI_MANIFEST, descriptor_digest};
use crate::platform::Platform;
use crate::reference::Reference;

/// By which an index says what an attestation is about (BuildKit, docs/attestations/attestation-storage.md).
const SUBJECT: &str = "vnd.docker.reference.digest";

impl Store {
    /// Lists the images that an image's names stand for, as their index does; one that is alone is the only one.
    ///
    /// The size of a layer that is not unpacked is that of its blob.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if the index cannot be read.
    pub fn variants(&self, image: &Image) -> Result<Vec<Image>, StoreError> {
        let nodes = self.index_of(image)?.unwrap_or_default();
        let variants: Vec<_> = nodes.iter().filter_map(|node| self.variant(image, node)).collect();
        Ok(if variants.is_empty() { vec![image.clone()] } else { variants })
    }

    /// Finds the image for a platform among those that an image's names stand for, or that came from the same index of a
    /// registry.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if the index cannot be read.
    pub fn for_platform(&self, image: &Image, platform: &Platform) -> Result<Option<Image>, StoreError> {
        let others = self.variants(image)?.into_iter().chain(self.siblings(image)?);
        let ranked = std::iter::once(image.clone()).chain(others);
        let ranked = ranked.filter_map(|image| Some((platform.accepts(&image.platform())?, image)));
        Ok(ranked.min_by_key(|(rank, _)| *rank).map(|(_, image)| image))
    }

    /// Finds an image by name that is for a platform, as [`Store::for_platform`].
    ///
    /// # Errors
    /// As [`Store::find`].
    pub fn find_for(&self, name: &str, platform: &Platform) -> Result<Option<Image>, StoreError> {
        self.find(name)?.map_or(Ok(None), |own| self.for_platform(&own, platform))
    }

    /// Lists an image under its id alone, unless it is listed: one of an index that is to be used by itself. From here on it
    /// stays, whatever becomes of the names of its index.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if the index or the manifest cannot be read, [`StoreError::File`].
    pub fn keep(&self, image: &Image) -> Result<(), StoreError> {
        let _lock = self.lock()?;
        let mut index = Index::read(&self.images)?;
        match index.add(self.nameless_entry(image)?) {
            true => index.write(&self.images),
            false => Ok(()),
        }
    }

    /// Returns what an image takes as it travels, in bytes: its manifest, its configuration and its layers' blobs.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if the manifest cannot be read.
    pub fn content_size(&self, image: &Image) -> Result<u64, StoreError> {
        let (manifest, bytes) = self.manifest(&image.manifest)?;
        let layers: u64 = manifest.layers().iter().map(|layer| layer.size()).sum();
        Ok(layers + manifest.config().size() + bytes.len() as u64)
    }

    /// Lists the images that came from the same index of a registry.
    fn siblings(&self, own: &Image) -> Result<Vec<Image>, StoreError> {
        let index = Index::read(&self.images)?;
        let served = index.manifests.iter().filter(|entry| entry.id().as_ref() == Some(&own.id));
        let served: Vec<Reference> = served.filter_map(Entry::repo_digest).collect();
        let is_sibling = |entry: &&Entry| entry.repo_digest().is_some_and(|digest| served.contains(&digest));
        let siblings = index.manifests.iter().filter(is_sibling).filter_map(Entry::id);
        Ok(siblings.filter_map(|id| self.load(&index, &id).ok()).collect())
    }

    /// Loads the image of a document, under the names of another of its index; `None` for what is no image.
    fn variant(&self, own: &Image, node: &Node) -> Option<Image> {
        let Document::Manifest(manifest) = &node.document else { return None };
        if node.digest == own.manifest {
            return Some(own.clone());
        }
        let id = descriptor_digest(manifest.config()).ok()?;
        // Attestations are for no platform.
        let mut image = self.nameless(&id, &node.digest).ok().filter(|image| image.platform().os != "unknown")?;
        let plain = image.layers.iter().map(|key| self.layers.files_of(key.digest()).is_dir()).collect::<Vec<_>>();
        for ((size, layer), is_unpacked) in image.layer_sizes.iter_mut().zip(manifest.layers()).zip(plain) {
            *size = if is_unpacked { *size } else { layer.size() };
        }
        image.size = image.layer_sizes.iter().sum();
        Some(Image { references: own.references.clone(), repo_digests: own.repo_digests.clone(), ..image })
    }

    /// Takes the image for a platform out of the index that `name` stands for, whichever names that has; the last one takes
    /// the names along, as [`Store::remove`] does. Their index is another one then.
    ///
    /// # Errors
    /// [`StoreError::NoSuchImage`] if none is for that platform, and as [`Store::remove`].
    pub fn remove_for(
        &self,
        (name, platform): (&str, &Platform),
        force: bool,
        in_use: &dyn Fn(&Digest) -> Option<String>,
    ) -> Result<Vec<Removed>, StoreError> {
        let lock = self.lock()?;
        let mut index = Index::read(&self.images)?;
        let none = || StoreError::NoSuchImage(format!("{name} for {platform}"));
        let found = Store::lookup(&index, name)?.ok_or_else(|| StoreError::NoSuchImage(name.to_owned()))?;
        let own = self.load(&index, found.id())?;
        let (gone, left): (Vec<_>, Vec<_>) =
            self.variants(&own)?.into_iter().partition(|image| platform.accepts(&image.platform()) == Some(0));
        let gone = gone.first().ok_or_else(none)?;
        let Some(next) = left.iter().find(|image| image.id == own.id).or(left.first()) else {
            drop(lock);
            return self.remove(name, force, in_use);
        };
        if let Some(user) = in_use(&gone.id) {
            return Err(StoreError::InUse { image: format!("{name} for {platform}"), user });
        }
        let whole = index
            .manifests
            .iter()
            .find(|entry| entry.id().as_ref() == Some(&own.id) && self.index_of_entry(entry).is_some());
        let whole = whole.and_then(|entry| self.index_of_entry(entry)).ok_or_else(none)?;
        let rest = self.without(&whole, &gone.manifest)?;
        let digest = Digest::of(&rest);
        self.blobs.write(&digest, &rest)?;
        let indexes: Vec<_> = index.manifests.iter().map(|entry| self.index_of_entry(entry)).collect();
        for (entry, _) in index.manifests.iter_mut().zip(indexes).filter(|(_, other)| other.as_ref() == Some(&whole)) {
            *entry = match next.id == own.id {
                true => entry.clone().in_index(&digest),
                false => self.entry_for(next, entry)?.in_index(&digest),
            };
        }
        index.write(&self.images)?;
        let swept = self.sweep(&index)?;
        drop(lock);
        let layers = swept.layers.iter().cloned().map(Removed::Deleted);
        let removed = std::iter::once(Removed::Deleted(gone.id.clone())).chain(layers).collect();
        swept.finish()?;
        Ok(removed)
    }

    /// Makes the entry by which a name of another image of the index means this one.
    fn entry_for(&self, image: &Image, named: &Entry) -> Result<Entry, StoreError> {
        let entry = self.nameless_entry(image)?;
        Ok(named.reference().map_or(entry.clone(), |reference| entry.called(&reference)))
    }

    /// Makes an entry without a name.
    fn nameless_entry(&self, image: &Image) -> Result<Entry, StoreError> {
        let (manifest, bytes) = self.manifest(&image.manifest)?;
        let media_type = manifest.media_type().as_ref().map_or_else(|| OCI_MANIFEST.to_owned(), ToString::to_string);
        let platform = EntryPlatform::of(&image.config);
        let entry = Entry::new(media_type, image.manifest.clone(), bytes.len() as u64, Some(platform));
        // Nothing has unpacked it yet.
        Ok(entry.of_image(&image.id).pushed())
    }

    /// Writes an index without one of its images and what is attested of that.
    fn without(&self, index: &Digest, manifest: &Digest) -> Result<Vec<u8>, StoreError> {
        let damaged = |why: String| StoreError::Damaged { path: self.blobs.path(index), why };
        let bytes = self.blobs.read(index, LARGEST_MANIFEST).ok_or_else(|| damaged("it is absent".to_owned()))?;
        let mut document: Value = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        let is_of_it = |entry: &Value| {
            [&entry["digest"], &entry["annotations"][SUBJECT]].iter().any(|digest| *digest == manifest.as_str())
        };
        let entries = document["manifests"].as_array_mut().filter(|entries| entries.iter().any(is_of_it));
        entries
            .ok_or_else(|| damaged("it has its images in further indexes".to_owned()))?
            .retain(|entry| !is_of_it(entry));
        Ok(document.to_string().into_bytes())
    }
}
