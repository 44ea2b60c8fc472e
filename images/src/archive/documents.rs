//! The descriptions in an archive: which images it has, under which names, made of which files.
//!
//! Runs in the shell command's process. Where an archive has both forms, the image layout counts: it has the digests.

use std::collections::BTreeMap;

use oci_spec::image::{Descriptor, ImageIndex};
use serde::Deserialize;

use super::error::{ArchiveError, read};
use super::layout::LayoutImage;
use super::members::Members;
use super::whole::Whole;
use super::{DOCKER_MANIFEST, IMAGE_NAME, INDEX, LAYOUT, REF_NAME};
use crate::content::Content;
use crate::digest::Digest;
use crate::install::LocalLayer;
use crate::layer::Compression;
use crate::manifest::{self, Document, LARGEST_CONFIG, LARGEST_MANIFEST, ManifestError};
use crate::platform::Platform;
use crate::reference::Reference;
use crate::store::Assembled;

/// Most indexes between the layout's own and a manifest.
const DEEPEST: usize = 3;

/// An image of an archive.
pub(super) struct Found {
    pub(super) image: Assembled,
    pub(super) names: Vec<Reference>,
    pub(super) layers: Vec<LocalLayer>,
    /// The index that its names stand for.
    pub(super) whole: Option<Whole>,
}

/// One image of Docker's `manifest.json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerImage {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// Lists the images of an archive. Where there are several for one name, `platform`'s is chosen, and an image of another one is
/// refused; without it all are taken, or this host's if they are not all there.
pub(super) fn find(members: &Members, platform: Option<&Platform>) -> Result<Vec<Found>, ArchiveError> {
    let found = if members.find(LAYOUT).is_some() && members.find(INDEX).is_some() {
        layout(members, platform)?
    } else if members.find(DOCKER_MANIFEST).is_some() {
        docker(members)?
    } else {
        return Err(ArchiveError::NoImages);
    };
    if found.is_empty() {
        return Err(ArchiveError::NoImages);
    }
    if let Some(wanted) = platform {
        found.iter().try_for_each(|image| check_platform(image, wanted))?;
    }
    Ok(found)
}

fn check_platform(found: &Found, wanted: &Platform) -> Result<(), ArchiveError> {
    let has = Platform::of(&found.image.config);
    if wanted.accepts(&has).is_some() {
        return Ok(());
    }
    let image = found.names.first().map_or_else(|| found.image.id.short().to_owned(), Reference::familiar);
    Err(ArchiveError::Platform { image, has: has.to_string(), wanted: wanted.to_string() })
}

fn layout(members: &Members, platform: Option<&Platform>) -> Result<Vec<Found>, ArchiveError> {
    let index: ImageIndex = parse(INDEX, &members.document(INDEX, LARGEST_MANIFEST)?)?;
    let mut found: BTreeMap<usize, Found> = BTreeMap::new();
    let mut places: BTreeMap<Digest, usize> = BTreeMap::new();
    for (place, descriptor) in index.manifests().iter().enumerate() {
        let digest = manifest::descriptor_digest(descriptor)?;
        // One image has an entry for each of its names.
        let first = *places.entry(digest).or_insert(place);
        if first == place {
            found.insert(place, of_entry(members, descriptor, platform)?);
        }
        if let Some(image) = found.get_mut(&first) {
            image.names.extend(name_of(descriptor)?);
        }
    }
    Ok(found.into_values().collect())
}

fn of_entry(members: &Members, descriptor: &Descriptor, platform: Option<&Platform>) -> Result<Found, ArchiveError> {
    if let Some(wanted) = platform {
        return of_layout(members, descriptor, wanted);
    }
    let whole = Whole::find(members, &manifest::descriptor_digest(descriptor)?)?;
    let wanted = whole.as_ref().map_or_else(Platform::host, |whole| whole.foremost().clone());
    Ok(Found { whole, ..of_layout(members, descriptor, &wanted)? })
}

/// Finds one image of an image layout.
pub(super) fn find_in_layout(members: &Members, image: &LayoutImage, wanted: &Platform) -> Result<Found, ArchiveError> {
    members.get(LAYOUT)?;
    let index: ImageIndex = parse(INDEX, &members.document(INDEX, LARGEST_MANIFEST)?)?;
    let is_it = |descriptor: &&Descriptor| match image {
        LayoutImage::Digest(digest) => descriptor.digest().to_string() == digest.as_str(),
        LayoutImage::Tag(tag) => has_tag(descriptor, tag),
        LayoutImage::Only => index.manifests().len() == 1 || has_tag(descriptor, "latest"),
    };
    let descriptor = index.manifests().iter().find(is_it);
    of_layout(members, descriptor.ok_or_else(|| ArchiveError::Missing(image.to_string()))?, wanted)
}

/// Tells whether a layout's index calls an image so: by the tag alone or by a whole name with it.
fn has_tag(descriptor: &Descriptor, tag: &str) -> bool {
    let annotations = descriptor.annotations().as_ref();
    let name = annotations.and_then(|annotations| annotations.get(REF_NAME));
    name.is_some_and(|name| name == tag || name.strip_suffix(tag).is_some_and(|rest| rest.ends_with(':')))
}

fn of_layout(members: &Members, descriptor: &Descriptor, wanted: &Platform) -> Result<Found, ArchiveError> {
    let manifest_bytes = manifest_for(members, descriptor, wanted)?;
    let digest = Digest::of(&manifest_bytes);
    let config = match Document::parse(&manifest_bytes, &digest, None)? {
        Document::Manifest(manifest) => manifest::descriptor_digest(manifest.config())?,
        Document::Index(_) => return Err(too_deep(&digest)),
    };
    let image = Assembled::new(blob_document(members, &config, LARGEST_CONFIG)?, manifest_bytes)?;
    let layers = image.manifest.layers().iter().enumerate();
    let layers = layers.map(|(position, layer)| {
        let blob = manifest::descriptor_digest(layer)?;
        let media_type = layer.media_type().to_string();
        let compression =
            Compression::of(&media_type).ok_or(ManifestError::Media { digest: blob.clone(), media_type })?;
        let content = members.get(&blob_path(&blob))?;
        Ok(LocalLayer { position, blob, compression, content, is_stored: false })
    });
    let layers = layers.collect::<Result<_, ArchiveError>>()?;
    Ok(Found { image, names: Vec::new(), layers, whole: None })
}

/// Goes down from a descriptor to the manifest for the platform.
fn manifest_for(members: &Members, descriptor: &Descriptor, wanted: &Platform) -> Result<Vec<u8>, ArchiveError> {
    let mut digest = manifest::descriptor_digest(descriptor)?;
    let mut media_type = descriptor.media_type().to_string();
    for _ in 0..=DEEPEST {
        let bytes = blob_document(members, &digest, LARGEST_MANIFEST)?;
        match Document::parse(&bytes, &digest, Some(&media_type))? {
            Document::Manifest(_) => return Ok(bytes),
            Document::Index(index) => {
                let child = manifest::select(&index, &digest, wanted)?;
                (digest, media_type) = (manifest::descriptor_digest(child)?, child.media_type().to_string());
            }
        }
    }
    Err(too_deep(&digest))
}

fn too_deep(digest: &Digest) -> ArchiveError {
    ArchiveError::Malformed { name: blob_path(digest), why: "is an index too many levels deep".to_owned() }
}

/// Returns a name that the layout's index gives. A tag alone, as umoci writes it, names no repository.
fn name_of(descriptor: &Descriptor) -> Result<Option<Reference>, ArchiveError> {
    let annotations = descriptor.annotations().clone().unwrap_or_default();
    let name =
        annotations.get(IMAGE_NAME).or_else(|| annotations.get(REF_NAME).filter(|name| name.contains([':', '/'])));
    Ok(name.map(|name| name.parse()).transpose()?)
}

fn docker(members: &Members) -> Result<Vec<Found>, ArchiveError> {
    let images: Vec<DockerImage> = parse(DOCKER_MANIFEST, &members.document(DOCKER_MANIFEST, LARGEST_MANIFEST)?)?;
    // The same layer of several images is hashed once.
    let mut known = BTreeMap::new();
    images.iter().map(|image| of_docker(members, image, &mut known)).collect()
}

fn of_docker(
    members: &Members,
    image: &DockerImage,
    known: &mut BTreeMap<String, (Digest, Compression)>,
) -> Result<Found, ArchiveError> {
    let config_bytes = members.document(&image.config, LARGEST_CONFIG)?;
    let (config, _) = manifest::parse_config(&config_bytes, &Digest::of(&config_bytes))?;
    let diff_ids = manifest::chain(&config)?;
    if diff_ids.len() != image.layers.len() {
        let why = format!("has {} layers and `{}` {}", image.layers.len(), image.config, diff_ids.len());
        return Err(ArchiveError::Malformed { name: DOCKER_MANIFEST.to_owned(), why });
    }
    let mut layers = Vec::new();
    for (position, (path, (diff_id, _))) in image.layers.iter().zip(diff_ids).enumerate() {
        let content = members.get(path)?;
        let (blob, compression) = match known.get(path) {
            Some(known) => known.clone(),
            None => identify(&content, diff_id)?,
        };
        known.insert(path.clone(), (blob.clone(), compression));
        layers.push(LocalLayer { position, blob, compression, content, is_stored: false });
    }
    let names = image.repo_tags.iter().flatten().map(|name| name.parse()).collect::<Result<_, _>>()?;
    let image = Assembled::new(config_bytes.clone(), manifest_of(&config_bytes, &layers))?;
    Ok(Found { image, names, layers, whole: None })
}

/// A plain layer's digest is its diff ID, which is checked when it is unpacked.
fn identify(content: &Content, diff_id: Digest) -> Result<(Digest, Compression), ArchiveError> {
    let compression = content.compression().map_err(read("read"))?;
    let blob = match compression {
        Compression::None => diff_id,
        _ => content.digest().map_err(read("read"))?,
    };
    Ok((blob, compression))
}

/// Writes the manifest that Docker's form does not have: the same files, so the same bytes every time.
fn manifest_of(config: &[u8], layers: &[LocalLayer]) -> Vec<u8> {
    let descriptor =
        |layer: &LocalLayer| manifest::descriptor(layer.compression.media_type(), &layer.blob, layer.content.length());
    manifest::image(config, layers.iter().map(descriptor).collect(), &Default::default())
}

/// Reads a document by its digest, and checks that.
pub(super) fn blob_document(members: &Members, digest: &Digest, limit: u64) -> Result<Vec<u8>, ArchiveError> {
    let name = blob_path(digest);
    let bytes = members.document(&name, limit)?;
    match Digest::of(&bytes) {
        actual if actual == *digest => Ok(bytes),
        actual => Err(ArchiveError::Malformed { name, why: format!("has digest `{actual}`") }),
    }
}

/// Returns where an image layout has a blob.
pub(super) fn blob_path(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

fn parse<T: serde::de::DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, ArchiveError> {
    serde_json::from_slice(bytes)
        .map_err(|error| ArchiveError::Malformed { name: name.to_owned(), why: format!("is malformed: {error}") })
}
