//! Pushes images: from the store to a registry, as they are, so that every digest stays what it is; but of an image that no
//! registry has served, plain layers are compressed first.
//!
//! Runs in the shell command's process: the caller's thread, one thread that talks to the registry, and some that wait for
//! a blob each. Before: the images are in the store. After: the registry has them under their tags; or an error, and what
//! arrived whole is not sent again by the next try. A lease keeps the blobs here meanwhile.
//!
//! ```text
//! settle on a place ─▶ blobs, in parallel ─▶ manifests, one a tag ─▶ what the store knows of the name
//! ```

mod compress;
mod error;

pub use error::PushError;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::panic::resume_unwind;
use std::sync::{Mutex, PoisonError};
use std::thread;

use jiff::Timestamp;
use oci_spec::image::Descriptor;

use crate::digest::Digest;
use crate::manifest::{Document, LARGEST_MANIFEST, descriptor_digest};
use crate::platform::Platform;
use crate::progress::{Event, Progress};
use crate::reference::Reference;
use crate::registry::{self, Access, Outgoing, Purpose, Session, Subject, converse};
use crate::slots::Slots;
use crate::store::{Entry, Known, Needs, Store};

/// Layers that are sent at once unless the user says otherwise: as many as Docker sends.
pub const DEFAULT_UPLOADS: usize = 5;

/// Most repositories that a token is asked to read from, so that the request for it stays short.
const MOST_SOURCES: usize = 8;

/// How to push.
#[derive(Debug, Clone)]
pub struct PushOptions {
    /// Whether to push every tag of the repository that the store has.
    pub all_tags: bool,
    /// The platform to push alone, where names stand for several.
    pub platform: Option<Platform>,
    /// How registries are reached, and as whom.
    pub access: Access,
    /// How many layers are sent at once.
    pub uploads: Slots,
    /// Bytes of one request where a registry takes no blob at once.
    pub piece: u64,
}

impl Default for PushOptions {
    /// Registries as they are without any configuration, five layers at once.
    fn default() -> Self {
        PushOptions {
            all_tags: false,
            platform: None,
            access: Access::default(),
            uploads: Slots::new(DEFAULT_UPLOADS),
            piece: registry::PIECE,
        }
    }
}

/// What the registry has now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The name.
    pub reference: Reference,
    /// Digest of the manifest.
    pub digest: Digest,
    /// Bytes of the manifest.
    pub size: u64,
}

/// An image to push, or an index of several.
struct Outbound {
    reference: Reference,
    known: Known,
    /// Each after those that it names; the last is what the tag means.
    documents: Vec<Sent>,
}

/// A manifest or index to push.
struct Sent {
    digest: Digest,
    bytes: Vec<u8>,
    document: Document,
}

/// A blob to push, and how large it is.
struct BlobToPush {
    digest: Digest,
    size: u64,
    is_layer: bool,
}

/// Pushes the tag `reference`, or every tag of its repository. Blocks; `progress` is called from several threads.
///
/// # Errors
/// See [`PushError`]. A tag is at the registry only when everything that it needs is.
pub fn push(
    store: &Store,
    reference: &Reference,
    options: &PushOptions,
    progress: &dyn Progress,
) -> Result<Vec<Pushed>, PushError> {
    if reference.digest().is_some() {
        return Err(PushError::ByDigest(reference.familiar()));
    }
    let references = if options.all_tags { store.tags(reference)? } else { vec![reference.clone()] };
    let outbound = |reference: Reference| match &options.platform {
        Some(platform) => alone(store, reference, platform),
        None => outbound(store, reference),
    };
    let images: Vec<Outbound> = references.into_iter().map(outbound).collect::<Result<_, _>>()?;
    if images.is_empty() {
        return Err(PushError::NoTags(reference.familiar_name()));
    }
    let blobs = blobs(&images)?;
    let (_lease, _) = store.begin(&needs(&images, &blobs))?;
    // From here on nobody takes away what is there.
    if let Some(missing) = blobs.iter().find(|blob| !store.blobs().has(&blob.digest, blob.size)) {
        return Err(PushError::MissingBlob { digest: missing.digest.clone(), reference: reference.familiar() });
    }
    let sources = sources(store, reference, &blobs)?;
    let paths: BTreeSet<String> = sources.values().cloned().collect();
    let purpose = Purpose::Write { sources: paths.into_iter().collect() };
    let subject = Subject { reference: reference.clone(), purpose };
    converse(&subject, &options.access, progress, |session| {
        session.settle()?;
        images.iter().for_each(|image| image.warn(progress));
        let work = Work { store, session, sources: &sources, piece: options.piece, progress };
        work.send_all(&blobs, &options.uploads)?;
        images.iter().map(|image| work.finish(image)).collect()
    })?
}

impl Outbound {
    /// Says so if the name stands for more at its registry than what is here.
    fn warn(&self, progress: &dyn Progress) {
        let is_part = self.known.served.as_ref().is_some_and(|served| *served != self.known.manifest);
        if is_part && self.known.index.is_none() {
            let text = format!(
                "`{}` was pulled from an index of several platforms; the one that is here takes its place",
                self.reference.familiar()
            );
            progress.report(Event::Warning { text: &text });
        }
    }
}

fn outbound(store: &Store, reference: Reference) -> Result<Outbound, PushError> {
    let known = store.known(&reference)?.ok_or_else(|| PushError::NotStored(reference.familiar()))?;
    let mut documents = Vec::new();
    let top = known.index.as_ref().unwrap_or(&known.manifest);
    gather(store, &reference, top, &mut documents)?;
    if let [Sent { bytes, document: Document::Manifest(manifest), .. }] = &documents[..]
        && known.served.is_none()
        && compress::is_needed(manifest)
    {
        compress::compress(store, &reference, &known, bytes)?;
        return outbound(store, reference);
    }
    Ok(Outbound { reference, known, documents })
}

/// Of the images that the name stands for, takes the one for a platform alone.
fn alone(store: &Store, reference: Reference, platform: &Platform) -> Result<Outbound, PushError> {
    let name = reference.to_string();
    let none = || PushError::NotStored(format!("{} for {platform}", reference.familiar()));
    let image = store.find_for(&name, platform)?.ok_or_else(none)?;
    let known = store.known(&reference)?.ok_or_else(none)?;
    if known.index.is_none() && image.manifest == known.manifest {
        return outbound(store, reference);
    }
    let mut documents = Vec::new();
    gather(store, &reference, &image.manifest, &mut documents)?;
    Ok(Outbound { reference, known, documents })
}

/// Reads a document and those that it names.
fn gather(store: &Store, reference: &Reference, digest: &Digest, documents: &mut Vec<Sent>) -> Result<(), PushError> {
    let missing = || PushError::MissingBlob { digest: digest.clone(), reference: reference.familiar() };
    let bytes = store.blobs().read(digest, LARGEST_MANIFEST).ok_or_else(missing)?;
    let document = Document::parse(&bytes, digest, None)?;
    if let Document::Index(index) = &document {
        for child in index.manifests() {
            gather(store, reference, &descriptor_digest(child)?, documents)?;
        }
    }
    if documents.iter().all(|other| other.digest != *digest) {
        documents.push(Sent { digest: digest.clone(), bytes, document });
    }
    Ok(())
}

/// Lists the blobs of all images, each once.
fn blobs(images: &[Outbound]) -> Result<Vec<BlobToPush>, PushError> {
    let mut blobs: Vec<BlobToPush> = Vec::new();
    let manifests = images.iter().flat_map(|image| &image.documents).filter_map(|sent| match &sent.document {
        Document::Manifest(manifest) => Some(manifest),
        Document::Index(_) => None,
    });
    for manifest in manifests {
        let layers = manifest.layers().iter().map(|layer| (layer, true));
        for (descriptor, is_layer) in layers.chain([(manifest.config(), false)]) {
            let blob = blob(descriptor, is_layer)?;
            if !blobs.iter().any(|other| other.digest == blob.digest) {
                blobs.push(blob);
            }
        }
    }
    Ok(blobs)
}

/// Lists all that must stay in the store meanwhile.
fn needs(images: &[Outbound], blobs: &[BlobToPush]) -> Needs {
    let documents = images.iter().flat_map(|image| &image.documents).map(|sent| sent.digest.clone());
    Needs { blobs: documents.chain(blobs.iter().map(|blob| blob.digest.clone())).collect(), layers: HashSet::new() }
}

fn blob(descriptor: &Descriptor, is_layer: bool) -> Result<BlobToPush, PushError> {
    Ok(BlobToPush { digest: descriptor_digest(descriptor)?, size: descriptor.size(), is_layer })
}

/// Finds for each blob another repository of the same registry that an image with that blob is from.
fn sources(store: &Store, reference: &Reference, blobs: &[BlobToPush]) -> Result<BTreeMap<Digest, String>, PushError> {
    let mut others = store.repositories(reference.domain())?;
    others.retain(|(path, _)| path != reference.path());
    others.sort_by(|(one, _), (other, _)| one.cmp(other));
    others.dedup_by(|(later, needs), (earlier, kept)| {
        let is_same = later == earlier;
        if is_same {
            kept.blobs.extend(needs.blobs.drain());
        }
        is_same
    });
    let mut sources = BTreeMap::new();
    let wanted = |needs: &Needs| blobs.iter().any(|blob| needs.blobs.contains(&blob.digest));
    for (path, needs) in others.iter().filter(|(_, needs)| wanted(needs)).take(MOST_SOURCES) {
        for blob in blobs.iter().filter(|blob| needs.blobs.contains(&blob.digest)) {
            sources.entry(blob.digest.clone()).or_insert_with(|| path.clone());
        }
    }
    Ok(sources)
}

/// What each step of a push needs.
struct Work<'a> {
    store: &'a Store,
    session: &'a Session,
    sources: &'a BTreeMap<Digest, String>,
    piece: u64,
    progress: &'a dyn Progress,
}

impl Work<'_> {
    /// Sends the blobs, as many at once as there are `slots`, until one fails.
    fn send_all(&self, blobs: &[BlobToPush], slots: &Slots) -> Result<(), PushError> {
        for blob in blobs.iter().filter(|blob| blob.is_layer) {
            self.progress.report(Event::LayerWaiting { layer: &blob.digest, total: blob.size });
        }
        let (left, failure) = (Mutex::new(blobs.iter()), Mutex::new(None));
        let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
        let has_failed = || failure.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        let worker = || {
            while let Some(blob) = next().filter(|_| !has_failed()) {
                let _slot = slots.take();
                if let Err(error) = self.send(blob) {
                    failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                }
            }
        };
        thread::scope(|scope| {
            let threads: Vec<_> = (0..slots.count().min(blobs.len())).map(|_| scope.spawn(worker)).collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        });
        failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }

    fn send(&self, blob: &BlobToPush) -> Result<(), PushError> {
        let source = self.sources.get(&blob.digest);
        let outgoing = Outgoing {
            digest: blob.digest.clone(),
            path: self.store.blobs().path(&blob.digest),
            size: blob.size,
            source: source.cloned(),
            is_layer: blob.is_layer,
            piece: self.piece,
        };
        let layer = &blob.digest;
        let pushed = self.session.push_blob(outgoing)?;
        if !blob.is_layer {
            return Ok(());
        }
        self.progress.report(match (pushed, source) {
            (registry::Pushed::Exists, _) => Event::LayerExists { layer },
            (registry::Pushed::Mounted, Some(source)) => Event::LayerMounted { layer, source },
            _ => Event::LayerPushed { layer },
        });
        Ok(())
    }

    /// Puts the documents under their digests, the last under its tag.
    fn finish(&self, image: &Outbound) -> Result<Pushed, PushError> {
        let Outbound { reference, known, documents } = image;
        let (last, others) = documents.split_last().expect("an image has a manifest");
        let put =
            |name: &str, sent: &Sent| self.session.push_manifest(name, &sent.document.media_type(), sent.bytes.clone());
        others.iter().try_for_each(|sent| put(sent.digest.as_str(), sent))?;
        put(reference.tag().unwrap_or_default(), last)?;
        let (digest, size) = (last.digest.clone(), last.bytes.len() as u64);
        // One of several platforms is less than what the name stands for here.
        if digest == *known.index.as_ref().unwrap_or(&known.manifest) {
            self.note(image, &digest)?;
        }
        self.progress.report(Event::Pushed { reference, digest: &digest, size });
        Ok(Pushed { reference: reference.clone(), digest, size })
    }

    /// Notes what the registry serves for the name now.
    fn note(&self, image: &Outbound, digest: &Digest) -> Result<(), PushError> {
        let Outbound { reference, known, documents } = image;
        let own = documents.iter().find(|sent| sent.digest == known.manifest).map_or(0, |sent| sent.bytes.len());
        let entry = Entry::new(known.media_type.clone(), known.manifest.clone(), own as u64, known.platform.clone());
        let entry = entry.named(&known.id, reference, digest).pulled(Timestamp::now());
        let entry = if known.index.is_some() { entry.in_index(digest) } else { entry };
        self.store.publish(reference, &known.id, entry)?;
        Ok(())
    }
}
