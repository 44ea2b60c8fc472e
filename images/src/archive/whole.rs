//! An index of an archive that is there with everything it names: its name stands for all of its images (adr/0039).
//!
//! Runs in the shell command's process.

use std::collections::BTreeMap;

use super::documents::{blob_document, blob_path};
use super::error::{ArchiveError, read};
use super::members::Members;
use crate::content::Content;
use crate::digest::Digest;
use crate::manifest::{Document, LARGEST_MANIFEST, descriptor_digest};
use crate::platform::Platform;
use crate::store::{Needs, Store};

/// Most indexes between the layout's own and a manifest.
const DEEPEST: usize = 3;

/// An index, and all it names.
pub(super) struct Whole {
    pub(super) digest: Digest,
    /// Documents and what these need.
    blobs: BTreeMap<Digest, Content>,
    /// The platforms of the images, as the index says.
    platforms: Vec<Platform>,
}

impl Whole {
    /// Looks for everything that an index names; `None` if something is not there, or if it is no index.
    ///
    /// # Errors
    /// A document that is there and is not what it should be.
    pub(super) fn find(members: &Members, digest: &Digest) -> Result<Option<Whole>, ArchiveError> {
        let mut whole = Whole { digest: digest.clone(), blobs: BTreeMap::new(), platforms: Vec::new() };
        let is_whole = whole.descend(members, digest, DEEPEST)? && !whole.platforms.is_empty();
        Ok(is_whole.then_some(whole))
    }

    /// Adds a document and what it names; tells whether all of that is there.
    fn descend(&mut self, members: &Members, digest: &Digest, depth: usize) -> Result<bool, ArchiveError> {
        if self.blobs.contains_key(digest) {
            return Ok(true);
        }
        let Some(content) = members.find(&blob_path(digest)) else { return Ok(false) };
        let bytes = blob_document(members, digest, LARGEST_MANIFEST)?;
        self.blobs.insert(digest.clone(), content);
        // What is neither can only be left out, and the index is not whole then.
        let Ok(document) = Document::parse(&bytes, digest, None) else { return Ok(false) };
        match document {
            Document::Manifest(manifest) => {
                for descriptor in manifest.layers().iter().chain([manifest.config()]) {
                    let digest = descriptor_digest(descriptor)?;
                    let Some(content) = members.find(&blob_path(&digest)) else { return Ok(false) };
                    self.blobs.insert(digest, content);
                }
                Ok(true)
            }
            Document::Index(_) if depth == 0 => Ok(false),
            Document::Index(index) => {
                for descriptor in index.manifests() {
                    let platform = descriptor.platform().as_ref().map(|platform| Platform {
                        os: platform.os().to_string(),
                        architecture: platform.architecture().to_string(),
                        variant: platform.variant().clone(),
                    });
                    self.platforms.extend(platform.filter(|platform| platform.os != "unknown"));
                    if !self.descend(members, &descriptor_digest(descriptor)?, depth - 1)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
        }
    }

    /// Returns the platform of the image that the name means where it can mean one only: this host's, or else the first.
    pub(super) fn foremost(&self) -> &Platform {
        let host = Platform::host();
        let rank = |platform: &&Platform| host.accepts(platform).unwrap_or(u32::MAX);
        self.platforms.iter().min_by_key(rank).expect("an index without images is none here")
    }

    /// Lists what must stay in the store.
    pub(super) fn needs(&self) -> Needs {
        Needs { blobs: self.blobs.keys().cloned().collect(), ..Needs::default() }
    }

    /// Keeps what the store has not, checked; the caller's lease keeps it there.
    pub(super) fn keep(&self, store: &Store) -> Result<(), ArchiveError> {
        for (digest, content) in
            self.blobs.iter().filter(|(digest, content)| !store.blobs().has(digest, content.length()))
        {
            let actual = content.digest().map_err(read("read"))?;
            if actual != *digest {
                return Err(ArchiveError::Malformed { name: blob_path(digest), why: format!("has digest `{actual}`") });
            }
            store.blobs().keep(digest, content)?;
        }
        Ok(())
    }
}
