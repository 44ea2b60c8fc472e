//! `save`: from listed images to an archive.
//!
//! Runs in the shell command's process. Blobs are written as the store has them, so digests are the same wherever the
//! archive is loaded; the same images give the same bytes.

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::{Value, json};

use super::documents::blob_path;
use super::error::ArchiveError;
use super::{DOCKER_MANIFEST, IMAGE_NAME, INDEX, LAYOUT, REF_NAME};
use crate::content::copy;
use crate::digest::Digest;
use crate::layer::{Compression, Entry, Kind, Timestamp, Writer};
use crate::manifest::{self, ManifestError, OCI_MANIFEST};
use crate::platform::Platform;
use crate::reference::Reference;
use crate::store::{Image, LAYOUT_FILE, Needs, Node, Store, StoreError};

/// The form of an archive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ArchiveFormat {
    /// Docker's, and an image layout beside it.
    #[default]
    Docker,
    /// An image layout alone.
    Oci,
}

/// How to save.
#[derive(Debug, Clone, Default)]
pub struct SaveOptions {
    /// The form.
    pub format: ArchiveFormat,
    /// The platform whose images are meant where a name stands for several, and that every image must be of; `None` means
    /// all of them.
    pub platform: Option<Platform>,
}

/// An image on its way into an archive.
struct Saved {
    image: Image,
    names: Vec<Reference>,
    manifest: Vec<u8>,
    media_type: String,
    layers: Vec<Digest>,
    /// The index that its names stand for, and what that names.
    index: Option<Vec<Node>>,
}

/// Writes the images that `names` mean to `out`. The name of a repository without a tag means all its tags.
///
/// # Errors
/// [`ArchiveError`]; what was written then is the beginning of an archive.
pub fn save(store: &Store, names: &[String], options: &SaveOptions, out: impl Write) -> Result<(), ArchiveError> {
    let saved = collect(store, names, options)?;
    let mut needs = Needs::default();
    for image in &saved {
        needs.blobs.extend(image.layers.iter().cloned());
        needs.blobs.extend([image.image.id.clone(), image.image.manifest.clone()]);
        for node in image.index.iter().flatten() {
            needs.blobs.extend(node.blobs().into_iter().map(|(blob, _)| blob).chain([node.digest.clone()]));
        }
    }
    // Nobody sweeps a blob away while it is copied.
    let (_lease, _) = store.begin(&needs)?;
    let mut archive = Archive { writer: Writer::new(out), store };
    archive.document(LAYOUT, LAYOUT_FILE)?;
    archive.document(INDEX, index(&saved).to_string().as_bytes())?;
    if options.format == ArchiveFormat::Docker {
        archive.document(DOCKER_MANIFEST, docker_manifest(&saved).to_string().as_bytes())?;
    }
    let mut blobs: Vec<_> = needs.blobs.into_iter().collect();
    blobs.sort();
    archive.directory("blobs/")?;
    archive.directory("blobs/sha256/")?;
    blobs.iter().try_for_each(|blob| archive.blob(blob))?;
    archive.writer.finish().and_then(|mut out| out.flush()).map_err(ArchiveError::Write)
}

/// Finds the images, each once, with the names it is to have.
fn collect(store: &Store, names: &[String], options: &SaveOptions) -> Result<Vec<Saved>, ArchiveError> {
    let mut all: BTreeMap<usize, Saved> = BTreeMap::new();
    let mut places: BTreeMap<Digest, usize> = BTreeMap::new();
    for name in names {
        for (image, reference) in meant(store, name)? {
            let next = places.len();
            let place = *places.entry(image.id.clone()).or_insert(next);
            if place == next {
                all.insert(place, saved(store, image, options)?);
            }
            if let (Some(saved), Some(reference)) = (all.get_mut(&place), reference)
                && !saved.names.contains(&reference)
            {
                saved.names.push(reference);
            }
        }
    }
    Ok(all.into_values().collect())
}

/// Returns what a name means: all tags of a repository, or one image; with the name it is then saved under.
fn meant(store: &Store, name: &str) -> Result<Vec<(Image, Option<Reference>)>, StoreError> {
    let reference = name.parse::<Reference>().ok();
    let is_repository = reference.as_ref().is_some_and(|reference| {
        reference.digest().is_none() && reference.tag() == Some("latest") && !name.ends_with(":latest")
    });
    if let Some(reference) = reference.as_ref().filter(|_| is_repository) {
        let mut tagged = Vec::new();
        for image in store.list()? {
            let same = |other: &&Reference| other.name() == reference.name() && other.digest().is_none();
            tagged.extend(image.references.iter().filter(same).map(|name| (image.clone(), Some(name.clone()))));
        }
        if !tagged.is_empty() {
            return Ok(tagged);
        }
    }
    let image = store.find(name)?.ok_or_else(|| StoreError::NoSuchImage(name.to_owned()))?;
    let own = reference.filter(|reference| reference.digest().is_none() && image.references.contains(reference));
    Ok(vec![(image, own)])
}

fn saved(store: &Store, image: Image, options: &SaveOptions) -> Result<Saved, ArchiveError> {
    let image = match &options.platform {
        Some(wanted) => store.for_platform(&image, wanted)?.ok_or_else(|| {
            let (image, has, wanted) = (image.name(), image.platform().to_string(), wanted.to_string());
            ArchiveError::Platform { image, has, wanted }
        })?,
        None => image,
    };
    let (manifest, bytes) = store.manifest(&image.manifest)?;
    let mut layers = Vec::new();
    for descriptor in manifest.layers() {
        let digest = manifest::descriptor_digest(descriptor)?;
        let media_type = descriptor.media_type().to_string();
        if Compression::of(&media_type).is_none() {
            return Err(ManifestError::Media { digest, media_type }.into());
        }
        layers.push(digest);
    }
    let said = manifest.media_type().as_ref().map(ToString::to_string);
    let media_type = said.unwrap_or_else(|| OCI_MANIFEST.to_owned());
    let index = if options.platform.is_none() { store.index_of(&image)? } else { None };
    Ok(Saved { image, names: Vec::new(), manifest: bytes, media_type, layers, index })
}

/// Writes the layout's index: an entry for each name, or one without.
fn index(saved: &[Saved]) -> Value {
    let mut manifests = Vec::new();
    for image in saved {
        let mut descriptor = match image.index.iter().flatten().next() {
            Some(index) => manifest::descriptor(&index.document.media_type(), &index.digest, index.size),
            None => json!({
                "mediaType": image.media_type,
                "digest": image.image.manifest,
                "size": image.manifest.len(),
                "platform": platform(&image.image),
            }),
        };
        for name in &image.names {
            descriptor["annotations"] = json!({IMAGE_NAME: name.to_string(), REF_NAME: name.familiar()});
            manifests.push(descriptor.clone());
        }
        if image.names.is_empty() {
            manifests.push(descriptor);
        }
    }
    let media_type = "application/vnd.oci.image.index.v1+json";
    json!({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests})
}

fn platform(image: &Image) -> Value {
    let Platform { os, architecture, variant } = image.platform();
    let mut platform = json!({"architecture": architecture, "os": os});
    if let Some(variant) = variant {
        platform["variant"] = json!(variant);
    }
    platform
}

/// Writes Docker's list of images.
fn docker_manifest(saved: &[Saved]) -> Value {
    let image = |image: &Saved| {
        let names: Vec<_> = image.names.iter().map(Reference::familiar).collect();
        json!({
            "Config": blob_path(&image.image.id),
            "RepoTags": if names.is_empty() { Value::Null } else { json!(names) },
            "Layers": image.layers.iter().map(blob_path).collect::<Vec<_>>(),
        })
    };
    Value::Array(saved.iter().map(image).collect())
}

struct Archive<'a, W> {
    writer: Writer<W>,
    store: &'a Store,
}

impl<W: Write> Archive<'_, W> {
    fn directory(&mut self, path: &str) -> Result<(), ArchiveError> {
        let entry = Entry { kind: Kind::Directory, mode: 0o755, ..file(path, 0) };
        self.writer.entry(&entry).map_err(ArchiveError::Write)
    }

    fn document(&mut self, path: &str, bytes: &[u8]) -> Result<(), ArchiveError> {
        let entry = file(path, bytes.len() as u64);
        self.writer.entry(&entry).and_then(|()| self.writer.write_all(bytes)).map_err(ArchiveError::Write)
    }

    fn blob(&mut self, digest: &Digest) -> Result<(), ArchiveError> {
        let content = self.store.blobs().content(digest)?;
        let entry = file(&blob_path(digest), content.length());
        self.writer.entry(&entry).map_err(ArchiveError::Write)?;
        copy(&mut content.reader(), &mut self.writer).map_err(ArchiveError::Write)
    }
}

fn file(path: &str, size: u64) -> Entry {
    Entry {
        path: path.as_bytes().to_vec(),
        link: Vec::new(),
        kind: Kind::Regular,
        mode: 0o644,
        uid: 0,
        gid: 0,
        mtime: Timestamp::default(),
        size,
        sparse: None,
        xattrs: Vec::new(),
    }
}
