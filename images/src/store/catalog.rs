//! What the store can serve: every document of every repository, and the blobs that these need.
//!
//! Runs in the shell command's process, in `registry serve` and under a sweep; only reads. Besides images, `index.json` may
//! list documents that are no image of this host: an index without one for it, a signature, a chart. Their entries name no
//! configuration, so nothing but a registry shows them.

use std::collections::{BTreeMap, HashMap};
use std::os::unix::fs::MetadataExt;

use super::error::StoreError;
use super::index::{Entry, Index};
use super::{Blobs, Store};
use crate::digest::Digest;
use crate::manifest::{Document, LARGEST_MANIFEST, descriptor_digest};

/// Most indexes between an entry and its manifests, as a pull follows them.
pub(super) const DEEPEST: usize = 3;

/// A document of the store, checked against its digest.
pub(crate) struct Node {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    pub(crate) document: Document,
}

/// One document as a repository serves it.
#[derive(Debug, Clone)]
pub(crate) struct Served {
    pub(crate) media_type: String,
    pub(crate) size: u64,
    /// What it says about another document of the repository.
    pub(crate) subject: Option<Digest>,
    /// What kind of thing it is: its own word for it, else the media type of its configuration.
    pub(crate) artifact_type: Option<String>,
    pub(crate) annotations: Option<HashMap<String, String>>,
}

/// The documents of one repository.
#[derive(Debug, Clone, Default)]
pub(crate) struct Repository {
    pub(crate) tags: BTreeMap<String, Digest>,
    pub(crate) documents: BTreeMap<Digest, Served>,
}

/// Everything that can be served.
#[derive(Debug, Clone, Default)]
pub(crate) struct Catalog {
    /// Repositories by domain and path: `docker.io/library/redis`.
    pub(crate) repositories: BTreeMap<String, Repository>,
    /// Size in bytes of every blob that a document needs.
    pub(crate) blobs: HashMap<Digest, u64>,
}

/// Which version of `index.json` a catalog was read from: device, inode and change time; a rename changes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp(u64, u64, i64, i64);

impl Store {
    /// Returns the version of the index as it is now.
    pub(crate) fn stamp(&self) -> Option<Stamp> {
        let status = std::fs::symlink_metadata(Index::path(&self.images)).ok()?;
        Some(Stamp(status.dev(), status.ino(), status.ctime(), status.ctime_nsec()))
    }

    /// Reads the whole catalog. Entries whose documents cannot be read are left out.
    pub(crate) fn catalog(&self) -> Result<Catalog, StoreError> {
        let mut catalog = Catalog::default();
        for entry in &Index::read(&self.images)?.manifests {
            let Ok(nodes) = self.documents(entry) else { continue };
            catalog.add(entry, &nodes);
        }
        Ok(catalog)
    }

    /// Reads the documents of an entry, first the one that its tag means: its index, what was served if that is here, the image's
    /// manifest, and of an index all that are here.
    pub(super) fn documents(&self, entry: &Entry) -> Result<Vec<Node>, StoreError> {
        let served = entry.repo_digest().and_then(|reference| reference.digest().cloned());
        let served = entry.index().or(served);
        let mut nodes = Vec::new();
        if let Some(node) = served.filter(|served| *served != entry.digest).and_then(|digest| self.document(&digest)) {
            self.descend(node, DEEPEST, &mut nodes);
        }
        let own = self.document(&entry.digest).ok_or_else(|| StoreError::Damaged {
            path: self.blobs.path(&entry.digest),
            why: "it is absent, or not the manifest it should be".to_owned(),
        })?;
        if nodes.iter().all(|node| node.digest != own.digest) {
            // What was served and does not have this image is another document of the same name.
            nodes.clear();
            self.descend(own, DEEPEST, &mut nodes);
        }
        Ok(nodes)
    }

    fn descend(&self, node: Node, depth: usize, nodes: &mut Vec<Node>) {
        let children = node.children();
        nodes.push(node);
        for digest in children.into_iter().filter(|_| depth > 0) {
            // An index may name another many times.
            let is_new = nodes.iter().all(|other| other.digest != digest);
            if let Some(child) = is_new.then(|| self.document(&digest)).flatten() {
                self.descend(child, depth - 1, nodes);
            }
        }
    }

    /// Reads one document of the store; one that is absent, damaged or no manifest is `None`.
    pub(crate) fn document(&self, digest: &Digest) -> Option<Node> {
        read(&self.blobs, digest)
    }
}

fn read(blobs: &Blobs, digest: &Digest) -> Option<Node> {
    let bytes = blobs.read(digest, LARGEST_MANIFEST)?;
    let document = Document::parse(&bytes, digest, None).ok()?;
    Some(Node { digest: digest.clone(), size: bytes.len() as u64, document })
}

impl Node {
    /// Lists the documents of an index.
    pub(crate) fn children(&self) -> Vec<Digest> {
        match &self.document {
            Document::Index(index) => index.manifests().iter().filter_map(|one| descriptor_digest(one).ok()).collect(),
            Document::Manifest(_) => Vec::new(),
        }
    }

    /// Lists the blobs of an image or artifact with their sizes in bytes: configuration, then layers.
    pub(crate) fn blobs(&self) -> Vec<(Digest, u64)> {
        match &self.document {
            Document::Index(_) => Vec::new(),
            Document::Manifest(manifest) => std::iter::once(manifest.config())
                .chain(manifest.layers())
                .filter_map(|one| Some((descriptor_digest(one).ok()?, one.size())))
                .collect(),
        }
    }

    fn served(&self) -> Served {
        let (subject, artifact_type, annotations) = match &self.document {
            Document::Index(index) => (index.subject(), index.artifact_type(), index.annotations()),
            Document::Manifest(manifest) => (manifest.subject(), manifest.artifact_type(), manifest.annotations()),
        };
        let config = match &self.document {
            Document::Manifest(manifest) => Some(manifest.config().media_type().to_string()),
            Document::Index(_) => None,
        };
        Served {
            media_type: self.document.media_type(),
            size: self.size,
            subject: subject.as_ref().and_then(|subject| descriptor_digest(subject).ok()),
            artifact_type: artifact_type.as_ref().map(ToString::to_string).or(config),
            annotations: annotations.clone(),
        }
    }
}

impl Catalog {
    fn add(&mut self, entry: &Entry, nodes: &[Node]) {
        let Some(name) = entry.repository() else { return };
        let repository = self.repositories.entry(name).or_default();
        repository.documents.extend(nodes.iter().map(|node| (node.digest.clone(), node.served())));
        let tag = entry.reference().and_then(|reference| reference.tag().map(str::to_owned));
        if let (Some(tag), Some(top)) = (tag, nodes.first()) {
            repository.tags.insert(tag, top.digest.clone());
        }
        self.blobs.extend(nodes.iter().flat_map(Node::blobs));
        self.blobs.extend(nodes.iter().map(|node| (node.digest.clone(), node.size)));
    }
}
