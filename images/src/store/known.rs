//! What the store knows of a name at its registry: what it meant, and when that was asked.
//!
//! Runs in the shell command's process; only reads.

use std::collections::HashSet;
use std::time::SystemTime;

use super::catalog::DEEPEST;
use super::error::StoreError;
use super::find::has_name;
use super::index::{Entry, EntryPlatform, Index};
use super::{Image, Node, Store};
use crate::digest::Digest;
use crate::platform::Platform;
use crate::pull::Presence;
use crate::reference::Reference;

/// An image under a name.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    /// The image's id.
    pub(crate) id: Digest,
    /// Digest of what the registry served for the name, an index or the manifest; `None` if the image came another way.
    pub(crate) served: Option<Digest>,
    /// The index of several images that the name stands for, all of which are here.
    pub(crate) index: Option<Digest>,
    /// Digest of the manifest.
    pub(crate) manifest: Digest,
    /// Media type of the manifest.
    pub(crate) media_type: String,
    /// The platform.
    pub(crate) platform: Option<EntryPlatform>,
}

impl Known {
    /// Tells whether it is the very image that a look-up for `wanted` would choose.
    pub(crate) fn suits(&self, wanted: &Platform) -> bool {
        let Some(EntryPlatform { architecture, os, variant }) = self.platform.clone() else { return false };
        wanted.accepts(&Platform { os, architecture, variant }) == Some(0)
    }
}

impl Store {
    /// Returns what a name means here, and meant at its registry when it was last looked up.
    pub(crate) fn known(&self, reference: &Reference) -> Result<Option<Known>, StoreError> {
        let index = Index::read(&self.images)?;
        Ok(index
            .manifests
            .into_iter()
            .filter(|entry| has_name(entry, reference))
            .find_map(|entry| self.known_of(entry)))
    }

    /// Returns the documents of the index that an image's name stands for, the index first; `None` if it is an image alone.
    pub(crate) fn index_of(&self, image: &Image) -> Result<Option<Vec<Node>>, StoreError> {
        let index = Index::read(&self.images)?;
        let is_it = |entry: &&Entry| entry.id().as_ref() == Some(&image.id) && self.index_of_entry(entry).is_some();
        index.manifests.iter().find(is_it).map(|entry| self.documents(entry)).transpose()
    }

    /// Lists the tags of the repository of `reference` that the store has.
    pub(crate) fn tags(&self, reference: &Reference) -> Result<Vec<Reference>, StoreError> {
        let references = Index::read(&self.images)?.manifests.into_iter().filter_map(|entry| entry.reference());
        let is_tag_of_it = |other: &Reference| other.name() == reference.name() && other.digest().is_none();
        Ok(references.filter(is_tag_of_it).collect())
    }

    /// Lists the repositories of a registry that images of the store are from, with what each of those images needs.
    pub(crate) fn repositories(&self, domain: &str) -> Result<Vec<(String, super::Needs)>, StoreError> {
        let index = Index::read(&self.images)?;
        let entries = index.manifests.iter().filter_map(|entry| Some((entry.repo_digest()?, entry)));
        let of_domain = entries.filter(|(served, _)| served.domain() == domain);
        // A damaged image vouches for nothing.
        Ok(of_domain.filter_map(|(served, entry)| Some((served.path().to_owned(), self.needs(entry).ok()?))).collect())
    }

    /// Tells whether there is an image under a name (in any form that [`Store::find`] takes), and when that name was last
    /// looked up at a registry.
    ///
    /// # Errors
    /// As [`Store::find`].
    pub fn presence(&self, name: &str) -> Result<(Presence, Option<Image>), StoreError> {
        let Some(image) = self.find(name)? else { return Ok((Presence::Absent, None)) };
        let index = Index::read(&self.images)?;
        let reference = name.parse::<Reference>().ok().map(|reference| reference.without_ignored_tag());
        let is_meant = |entry: &&Entry| reference.as_ref().is_some_and(|reference| has_name(entry, reference));
        let pulled = index.manifests.iter().filter(is_meant).find_map(Entry::last_pull).map(SystemTime::from);
        Ok((Presence::Present { pulled }, Some(image)))
    }

    fn known_of(&self, entry: Entry) -> Option<Known> {
        Some(Known {
            id: entry.id()?,
            served: entry.repo_digest().and_then(|served| served.digest().cloned()),
            index: self.index_of_entry(&entry),
            manifest: entry.digest,
            media_type: entry.media_type,
            platform: entry.platform,
        })
    }

    /// Returns the index that an entry's name stands for: one that was made here, or that a registry serves and that is here
    /// with everything it names.
    pub(super) fn index_of_entry(&self, entry: &Entry) -> Option<Digest> {
        let served = || entry.repo_digest()?.digest().cloned();
        let is_whole = |served: &Digest| *served != entry.digest && self.has_all_of(served);
        entry.index().or_else(|| served().filter(is_whole))
    }

    /// Looks at each document once, however often indexes name it; what is deeper than anything follows is not had.
    fn has_all_of(&self, digest: &Digest) -> bool {
        let has_blob = |(blob, size): &(Digest, u64)| self.blobs.has(blob, *size);
        let (mut seen, mut level) = (HashSet::from([digest.clone()]), vec![digest.clone()]);
        for _ in 0..=DEEPEST {
            let mut below = Vec::new();
            for digest in &level {
                let Some(node) = self.document(digest).filter(|node| node.blobs().iter().all(has_blob)) else {
                    return false;
                };
                below.extend(node.children().into_iter().filter(|child| seen.insert(child.clone())));
            }
            level = below;
        }
        level.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest;

    /// Writes an index of these documents, each named as often as it is given; returns its own descriptor.
    fn index(store: &Store, children: &[serde_json::Value]) -> serde_json::Value {
        let media_type = "application/vnd.oci.image.index.v1+json";
        let document = serde_json::json!({"schemaVersion": 2, "mediaType": media_type, "manifests": children});
        let bytes = document.to_string().into_bytes();
        store.blobs.write(&Digest::of(&bytes), &bytes).unwrap();
        manifest::descriptor(media_type, &Digest::of(&bytes), bytes.len() as u64)
    }

    fn has_all(store: &Store, descriptor: &serde_json::Value) -> bool {
        store.has_all_of(&descriptor["digest"].as_str().unwrap().parse().unwrap())
    }

    #[test]
    fn an_index_that_names_another_many_times_is_looked_through_once_and_not_below_what_is_followed() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let mut level = index(&store, &[]);
        for _ in 0..DEEPEST {
            level = index(&store, &vec![level; 2000]); // 8 000 000 000 ways down
        }
        assert!(has_all(&store, &level));
        assert!(!has_all(&store, &index(&store, &[level])), "one level more");
        let absent = manifest::descriptor("application/vnd.oci.image.index.v1+json", &Digest::of(b"absent"), 6);
        assert!(!has_all(&store, &index(&store, &[absent])));
    }
}
