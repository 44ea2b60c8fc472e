//! `index.json`: which images there are, and under which names.
//!
//! Runs in the shell command's process. OCI image-spec, image-layout.md. One descriptor per name, all pointing at image
//! manifests (the platform is chosen when pulling); an image that has lost its last name keeps one without
//! `ref.name`. What we need beyond the specification stands in annotations of our own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use oci_spec::image::ImageConfiguration;
use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::{files, reserve};
use crate::digest::Digest;
use crate::reference::Reference;

/// Annotation with the image's name, in familiar form: what `skopeo inspect oci:DIR:NAME` looks for.
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// Annotation with the digest of the configuration, which is the image id.
const CONFIG: &str = "io.lighter.config-digest";

/// Annotation with `REPOSITORY@DIGEST` as the registry served it: the digest of the index, if there was one.
const REPO_DIGEST: &str = "io.lighter.repo-digest";

/// Annotation with the time of the last look-up of the name at a registry (RFC 3339).
const PULLED: &str = "io.lighter.pulled";

/// Annotation with the digest of an index that a build has made: the name stands for all of its images, of which this is one.
const INDEX: &str = "io.lighter.index";

/// Annotation of what came by a push to this host: its layers are unpacked when a container is made of it.
const PUSHED: &str = "io.lighter.pushed";

/// Largest `index.json` in bytes; some hundred bytes a name make this 100 000 names.
const LARGEST: u64 = 64 << 20;

/// The file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Index {
    schema_version: u32,
    #[serde(default)]
    media_type: Option<String>,
    pub(super) manifests: Vec<Entry>,
}

/// One name of one image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    /// Media type of the manifest.
    pub(crate) media_type: String,
    /// Digest of the manifest.
    pub(crate) digest: Digest,
    /// Size of the manifest in bytes.
    pub(crate) size: u64,
    /// Platform of the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) platform: Option<EntryPlatform>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

/// A platform as descriptors spell it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EntryPlatform {
    /// GOARCH.
    pub(crate) architecture: String,
    /// GOOS.
    pub(crate) os: String,
    /// CPU variant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) variant: Option<String>,
}

impl EntryPlatform {
    /// Takes the platform of an image's configuration.
    pub(crate) fn of(config: &ImageConfiguration) -> EntryPlatform {
        EntryPlatform {
            architecture: config.architecture().to_string(),
            os: config.os().to_string(),
            variant: config.variant().clone().filter(|variant| !variant.is_empty()),
        }
    }
}

impl Entry {
    /// Adds what a pull knows: the image's id, its name, and what the registry served.
    pub(crate) fn named(mut self, id: &Digest, reference: &Reference, served: &Digest) -> Entry {
        self = self.of_image(id).called(reference);
        self.annotations.insert(REPO_DIGEST.to_owned(), format!("{}@{served}", reference.name()));
        self
    }

    /// Adds what is known of a document that is no image of this host: its place in a repository, which has a tag or not.
    pub(crate) fn document(mut self, reference: &Reference) -> Entry {
        if reference.digest().is_none() {
            self.annotations.insert(REF_NAME.to_owned(), reference.familiar());
        }
        self.annotations.insert(REPO_DIGEST.to_owned(), format!("{}@{}", reference.name(), self.digest));
        self
    }

    /// Says that it came by a push to this host; whatever name it gets here, that stays true.
    pub(crate) fn pushed(mut self) -> Entry {
        self.annotations.insert(PUSHED.to_owned(), "true".to_owned());
        self
    }

    /// Says which image this is.
    pub(crate) fn of_image(mut self, id: &Digest) -> Entry {
        self.annotations.insert(CONFIG.to_owned(), id.to_string());
        self
    }

    /// Says which index it is part of.
    pub(crate) fn in_index(mut self, index: &Digest) -> Entry {
        self.annotations.insert(INDEX.to_owned(), index.to_string());
        self
    }

    /// Gives it a name. What a registry served is known of that registry's repository only.
    pub(crate) fn called(mut self, reference: &Reference) -> Entry {
        if self.repo_digest().is_some_and(|served| served.name() != reference.name()) {
            self.annotations.remove(REPO_DIGEST);
        }
        // Nobody has looked this name up.
        self.annotations.remove(PULLED);
        self.annotations.insert(REF_NAME.to_owned(), reference.familiar());
        self
    }

    /// Adds when the name was last looked up at a registry.
    pub(crate) fn pulled(mut self, at: Timestamp) -> Entry {
        self.annotations.insert(PULLED.to_owned(), at.to_string());
        self
    }

    /// Makes an entry without annotations.
    pub(crate) fn new(media_type: String, digest: Digest, size: u64, platform: Option<EntryPlatform>) -> Entry {
        Entry { media_type, digest, size, platform, annotations: BTreeMap::new() }
    }

    /// Returns the image id; entries that other tools wrote have none and are not ours to show.
    pub(super) fn id(&self) -> Option<Digest> {
        self.annotations.get(CONFIG)?.parse().ok()
    }

    /// Returns the name; `None` for a dangling image.
    pub(super) fn reference(&self) -> Option<Reference> {
        self.annotations.get(REF_NAME)?.parse().ok()
    }

    /// Returns `REPOSITORY@DIGEST` as the registry served it.
    pub(super) fn repo_digest(&self) -> Option<Reference> {
        self.annotations.get(REPO_DIGEST)?.parse().ok()
    }

    /// Returns the index that the name stands for, if it stands for more than the image.
    pub(super) fn index(&self) -> Option<Digest> {
        self.annotations.get(INDEX)?.parse().ok()
    }

    /// Returns domain and path of the repository that has it: that of its name, else the one it was served by.
    pub(super) fn repository(&self) -> Option<String> {
        self.reference().or_else(|| self.repo_digest()).map(|reference| reference.name())
    }

    /// Tells whether it is the document of that digest in that repository, or what an index of that digest became here.
    pub(super) fn answers_to(&self, reference: &Reference) -> bool {
        let served = self.repo_digest().and_then(|served| served.digest().cloned());
        let digest = reference.digest();
        self.repository() == Some(reference.name()) && (Some(&self.digest) == digest || served.as_ref() == digest)
    }

    /// Tells whether another tool made it: it is neither an image nor a document that `registry serve` took.
    pub(super) fn is_foreign(&self) -> bool {
        self.id().is_none() && self.repo_digest().is_none()
    }

    /// Tells whether it came by a push to this host, and so may never have been unpacked.
    pub(super) fn was_pushed(&self) -> bool {
        self.annotations.contains_key(PUSHED)
    }

    /// Tells whether it is neither a name nor an image, but a document of the same repository.
    pub(super) fn is_document_beside(&self, reference: &Reference) -> bool {
        self.id().is_none() && self.reference().is_none() && self.repository() == Some(reference.name())
    }

    /// Returns when the name was last looked up at a registry.
    pub(super) fn last_pull(&self) -> Option<Timestamp> {
        self.annotations.get(PULLED)?.parse().ok()
    }

    /// Tells whether it says the same as another, whenever that was found out.
    fn is_same(&self, other: &Entry) -> bool {
        let without_time = |entry: &Entry| {
            let mut entry = entry.clone();
            entry.annotations.remove(PULLED);
            entry
        };
        without_time(self) == without_time(other)
    }

    /// Takes the name away.
    pub(super) fn untag(&mut self) {
        self.annotations.remove(REF_NAME);
    }
}

impl Index {
    /// Returns an index without images.
    pub(super) fn empty() -> Index {
        let media_type = Some("application/vnd.oci.image.index.v1+json".to_owned());
        Index { schema_version: 2, media_type, manifests: Vec::new() }
    }

    /// Returns the path of the file.
    pub(super) fn path(images: &Path) -> PathBuf {
        images.join("index.json")
    }

    /// Reads the file; no file is no images.
    pub(super) fn read(images: &Path) -> Result<Index, StoreError> {
        let path = Index::path(images);
        match files::read(&path, LARGEST)? {
            None => Ok(Index::empty()),
            Some(bytes) => {
                serde_json::from_slice(&bytes).map_err(|error| StoreError::Damaged { path, why: error.to_string() })
            }
        }
    }

    /// Replaces the file. The caller holds the store's lock.
    pub(super) fn write(&self, images: &Path) -> Result<(), StoreError> {
        let path = Index::path(images);
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| StoreError::Damaged { path: path.clone(), why: error.to_string() })?;
        let is_shorter = || std::fs::metadata(&path).is_ok_and(|old| (text.len() as u64) < old.len());
        match files::replace(&path, &text) {
            Err(error) if error.is_full_disk() && is_shorter() && reserve::give_back(images) => {
                files::replace(&path, &text)?;
            }
            written => written?,
        }
        reserve::keep(images, text.len());
        Ok(())
    }

    /// Points a name at an image; what had the name before becomes dangling, unless it is the same image.
    ///
    /// Returns whether anything is different from before, the time of the last pull aside.
    pub(super) fn set(&mut self, reference: &Reference, entry: Entry) -> bool {
        if let Some(same) = self.manifests.iter_mut().find(|other| other.is_same(&entry)) {
            *same = entry;
            return false;
        }
        let has_name = |other: &Entry| other.reference().as_ref() == Some(reference);
        self.manifests.retain(|other| !(has_name(other) && other.id() == entry.id()));
        self.manifests.iter_mut().filter(|other| has_name(other)).for_each(Entry::untag);
        // A dangling entry of the same image has its name back.
        self.manifests.retain(|other| other.reference().is_some() || other.id() != entry.id());
        self.manifests.push(entry);
        self.drop_doubles();
        true
    }

    /// Adds an image without a name, unless it is there already.
    ///
    /// Returns whether anything is different from before.
    pub(super) fn add(&mut self, entry: Entry) -> bool {
        let is_new = !self.manifests.iter().any(|other| other.id() == entry.id());
        if is_new {
            self.manifests.push(entry);
        }
        is_new
    }

    /// Points a tag at a document that is no image of this host, or lists it by its digest alone.
    pub(super) fn set_document(&mut self, reference: &Reference, entry: Entry) {
        if reference.digest().is_some() {
            if !self.manifests.iter().any(|other| other.answers_to(reference)) {
                self.manifests.push(entry);
            }
            return;
        }
        let is_same = |other: &Entry| other.id().is_none() && other.digest == entry.digest;
        let has_name = |other: &Entry| other.reference().as_ref() == Some(reference);
        self.manifests.retain(|other| !(has_name(other) && is_same(other)));
        self.manifests.iter_mut().filter(|other| has_name(other)).for_each(Entry::untag);
        self.manifests.push(entry);
        self.drop_doubles();
    }

    /// An image without a name needs one entry only, and one with a name no nameless one. What is no image stays.
    pub(super) fn drop_doubles(&mut self) {
        let all = self.manifests.clone();
        let mut index = 0;
        self.manifests.retain(|entry| {
            let is_first_or_named = entry.reference().is_some()
                || entry.id().is_none()
                || !all.iter().enumerate().any(|(other_index, other)| {
                    other.id() == entry.id() && (other.reference().is_some() || other_index < index)
                });
            index += 1;
            is_first_or_named
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(image: &str, reference: &str) -> Entry {
        let id = Digest::of(image.as_bytes());
        let media_type = "application/vnd.oci.image.manifest.v1+json".to_owned();
        Entry::new(media_type, id.clone(), 1, None).named(&id, &reference.parse().unwrap(), &id)
    }

    fn names(index: &Index) -> Vec<(String, String)> {
        let name = |entry: &Entry| entry.reference().map_or("<none>".to_owned(), |reference| reference.familiar());
        index.manifests.iter().map(|entry| (name(entry), entry.id().unwrap().short().to_owned())).collect()
    }

    #[test]
    fn a_name_that_moves_leaves_a_dangling_image_behind() {
        let short = |image: &str| Digest::of(image.as_bytes()).short().to_owned();
        let mut index = Index::empty();
        let (seven, latest) = ("redis:7".parse().unwrap(), "redis".parse().unwrap());
        assert!(index.set(&seven, entry("a", "redis:7")));
        assert!(!index.set(&seven, entry("a", "redis:7")));
        assert!(index.set(&latest, entry("a", "redis")));
        assert!(index.set(&seven, entry("b", "redis:7")));
        assert_eq!(names(&index), [("redis:latest".into(), short("a")), ("redis:7".into(), short("b"))]);
        assert!(index.set(&latest, entry("b", "redis")));
        let expected =
            [("<none>".to_owned(), short("a")), ("redis:7".into(), short("b")), ("redis:latest".into(), short("b"))];
        assert_eq!(names(&index), expected);
        assert!(index.set(&seven, entry("a", "redis:7")));
        assert_eq!(names(&index), [("redis:latest".into(), short("b")), ("redis:7".into(), short("a"))]);
    }

    #[test]
    fn the_file_reads_back() {
        let directory = tempfile::tempdir().unwrap();
        assert!(Index::read(directory.path()).unwrap().manifests.is_empty());
        let mut index = Index::empty();
        index.set(&"redis:7".parse().unwrap(), entry("a", "redis:7"));
        index.write(directory.path()).unwrap();
        assert_eq!(Index::read(directory.path()).unwrap().manifests, index.manifests);
        std::fs::write(Index::path(directory.path()), "{").unwrap();
        assert!(matches!(Index::read(directory.path()), Err(StoreError::Damaged { .. })));
    }
}
