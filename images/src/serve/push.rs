//! Documents on their way in: manifests and indexes, once everything they need is here.
//!
//! Runs in the shell command's process, on a thread that may wait for the disk. A tagged image for this host becomes an image of
//! the store, as if it had been pulled; its layers are unpacked when a container first needs them.

use hyper::StatusCode;
use hyper::header::{HeaderName, LOCATION};

use super::registry::{Place, Registry};
use super::reply::{Answer, CONTENT_DIGEST, Refusal, code, empty};
use super::route::Wanted;
use crate::digest::Digest;
use crate::layer::Compression;
use crate::manifest::{self, Document, LARGEST_CONFIG};
use crate::platform::Platform;
use crate::reference::Reference;
use crate::store::{Catalog, Entry, EntryPlatform, Node};

/// Media types of a configuration that describes a root file system.
const CONFIGS: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

/// Most indexes between a tag and this host's image.
const DEEPEST: usize = 3;

impl Registry {
    /// Takes a manifest or index.
    pub(super) fn put_manifest(
        &self,
        place: &Place,
        wanted: &Wanted,
        media_type: Option<&str>,
        bytes: &[u8],
    ) -> Answer {
        let digest = Digest::of(bytes);
        let reference = match wanted {
            Wanted::Digest(wanted) if *wanted != digest => {
                return Err(Refusal::bad(code::DIGEST_INVALID, format!("the manifest has digest `{digest}`")));
            }
            Wanted::Digest(_) => place.pushed(&format!("@{digest}"))?,
            Wanted::Tag(tag) => place.pushed(&format!(":{tag}"))?,
        };
        let document = Document::parse(bytes, &digest, media_type).map_err(invalid)?;
        let node = Node { digest, size: bytes.len() as u64, document };
        let needed = self.needed(&node, &*self.catalog()?)?;
        // From here on they stay, and so does the document before anything needs it.
        self.claims.keep(&self.store, &needed)?;
        self.still_there(&needed[..needed.len() - 1])?;
        self.store.blobs().write(&node.digest, bytes)?;
        let absorbed: Vec<Digest> = node.children().into_iter().chain([node.digest.clone()]).collect();
        self.store.push(&reference, self.entry(&reference, &node), &absorbed)?;
        let released: Vec<Digest> = needed.into_iter().map(|(digest, _)| digest).collect();
        self.claims.release(&self.store, &released)?;
        Ok(created(place, &node))
    }

    /// Lists what a document needs and the document itself, which comes last; all the rest must be here.
    fn needed(&self, node: &Node, catalog: &Catalog) -> Result<Vec<(Digest, u64)>, Refusal> {
        let descriptors: Vec<_> = match &node.document {
            Document::Index(index) => index.manifests().iter().collect(),
            Document::Manifest(manifest) => std::iter::once(manifest.config()).chain(manifest.layers()).collect(),
        };
        let mut needed = Vec::new();
        for descriptor in descriptors {
            let digest = manifest::descriptor_digest(descriptor).map_err(invalid)?;
            match self.size(catalog, &digest) {
                Some(size) if size == descriptor.size() => needed.push((digest, size)),
                Some(size) => {
                    let message = format!("`{digest}` has {size} bytes, not {}", descriptor.size());
                    return Err(Refusal::bad(code::MANIFEST_INVALID, message));
                }
                // A layer that is to be had elsewhere only (image-spec, "Non-Distributable Layers").
                None if descriptor.urls().as_ref().is_some_and(|urls| !urls.is_empty()) => {}
                None => return Err(absent(&digest)),
            }
        }
        needed.push((node.digest.clone(), node.size));
        Ok(needed)
    }

    /// Something may have been swept away between the look and the claim.
    fn still_there(&self, needed: &[(Digest, u64)]) -> Result<(), Refusal> {
        match needed.iter().find(|(digest, size)| !self.store.blobs().has(digest, *size)) {
            Some((digest, _)) => Err(absent(digest)),
            None => Ok(()),
        }
    }

    /// Makes the entry: an image if the tag means one that can be unpacked here, else a document.
    fn entry(&self, reference: &Reference, node: &Node) -> Entry {
        let image = reference.tag().and_then(|_| self.image_of(reference, node));
        image.unwrap_or_else(|| {
            let entry = Entry::new(node.document.media_type(), node.digest.clone(), node.size, None);
            entry.document(reference)
        })
    }

    fn image_of(&self, reference: &Reference, node: &Node) -> Option<Entry> {
        let mut child = None;
        for _ in 0..DEEPEST {
            let current = child.as_ref().unwrap_or(node);
            let Document::Index(index) = &current.document else { break };
            let chosen = manifest::select(index, &current.digest, &Platform::host()).ok()?;
            child = Some(self.store.document(&manifest::descriptor_digest(chosen).ok()?)?);
        }
        let image = child.as_ref().unwrap_or(node);
        let (config, platform) = self.config(image)?;
        let entry = Entry::new(image.document.media_type(), image.digest.clone(), image.size, Some(platform));
        Some(entry.named(&config, reference, &node.digest).pushed())
    }

    /// Returns an image's id and platform; `None` if it is none that could be unpacked.
    fn config(&self, node: &Node) -> Option<(Digest, EntryPlatform)> {
        let Document::Manifest(image) = &node.document else { return None };
        let is_layer = |media_type: String| Compression::of(&media_type).is_some();
        let config_type = image.config().media_type().to_string();
        if !CONFIGS.contains(&config_type.as_str())
            || !image.layers().iter().all(|layer| is_layer(layer.media_type().to_string()))
        {
            return None;
        }
        let id = manifest::descriptor_digest(image.config()).ok()?;
        let (config, _) = manifest::parse_config(&self.store.blobs().read(&id, LARGEST_CONFIG)?, &id).ok()?;
        manifest::rootfs_digests(&config, image, &node.digest).ok()?;
        Some((id, EntryPlatform::of(&config)))
    }
}

fn invalid(error: manifest::ManifestError) -> Refusal {
    let cause = std::error::Error::source(&error).map_or_else(String::new, |source| format!(": {source}"));
    Refusal::bad(code::MANIFEST_INVALID, format!("{error}{cause}"))
}

fn absent(digest: &Digest) -> Refusal {
    Refusal::not_found(code::MANIFEST_BLOB_UNKNOWN, format!("`{digest}`, which the manifest needs, is not here"))
}

fn created(place: &Place, node: &Node) -> hyper::Response<super::body::Body> {
    let location = format!("/v2/{}/manifests/{}", place.name, node.digest);
    let subject = match &node.document {
        Document::Index(index) => index.subject(),
        Document::Manifest(manifest) => manifest.subject(),
    };
    let subject = subject.as_ref().map(|subject| subject.digest().to_string());
    // "OCI-Subject" says that this registry lists referrers, so that the client need not.
    let subject = subject.map(|digest| (HeaderName::from_static("oci-subject"), digest));
    let headers = [(LOCATION, location), (CONTENT_DIGEST, node.digest.to_string())];
    empty(StatusCode::CREATED, headers.into_iter().chain(subject))
}
