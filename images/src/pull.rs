//! Pulls an image: from a reference to a listed image with every layer unpacked.
//!
//! Runs in the shell command's process: the caller's thread, one thread that talks to registries, and for each layer in
//! work three that check, inflate and unpack it. Before: anything, also what a killed pull left. After: the image is in
//! the store under its reference, durably; or an error, the store lists what it listed before, and what was fetched
//! whole is kept for the next try.
//!
//! ```text
//! resolve ─▶ choose platform ─▶ configuration ─▶ lease ─▶ layers, in parallel ─▶ syncfs ─▶ reference
//! ```

mod error;
mod layer;
mod policy;
mod resolve;
mod workers;

pub use error::PullError;
pub use policy::{PolicyError, Presence, PullPolicy};

pub use crate::layer::CorruptBlob;
pub use crate::manifest::ManifestError;

use std::collections::HashSet;
use std::sync::atomic::AtomicBool;

use jiff::Timestamp;

use crate::digest::Digest;
use crate::platform::Platform;
use crate::progress::{Event, Progress};
use crate::reference::Reference;
use crate::registry::{Access, Purpose, Session, Subject, converse};
use crate::slots::Slots;
use crate::store::{Entry, EntryPlatform, Image, Needs, Store};

use self::layer::Layer;
use self::resolve::{Errand, Resolved};
use self::workers::Work;

/// How to pull.
#[derive(Debug, Clone)]
pub struct PullOptions {
    /// The platform to choose from an index; `None` means this host's.
    pub platform: Option<Platform>,
    /// How registries are reached, and as whom.
    pub access: Access,
    /// How many layers are fetched and unpacked at once, by all pulls that share them.
    pub downloads: Slots,
}

/// Layers that are fetched and unpacked at once unless the user says otherwise: as many as Docker does.
pub const DEFAULT_DOWNLOADS: usize = 3;

impl Default for PullOptions {
    /// This host's platform, registries as they are without any configuration, and three layers at once.
    fn default() -> Self {
        PullOptions { platform: None, access: Access::default(), downloads: Slots::new(DEFAULT_DOWNLOADS) }
    }
}

/// Pulls `reference` into `store`. Blocks; `progress` is called from several threads.
///
/// What the store has whole is not fetched again: by digest nothing is asked at all, by tag one question is.
///
/// # Errors
/// See [`PullError`]. Nothing is listed that was not before; blobs that came whole are kept, damaged ones are not.
pub fn pull(
    store: &Store,
    reference: &Reference,
    options: &PullOptions,
    progress: &dyn Progress,
) -> Result<Image, PullError> {
    // A tag beside a digest says nothing (and is not checked by anybody), so it is not kept either.
    let reference = &reference.without_ignored_tag();
    let subject = Subject { reference: reference.clone(), purpose: Purpose::Read };
    converse(&subject, &options.access, progress, |session| {
        let errand = Errand { store, session, reference, progress };
        let resolved = errand.resolve(&options.platform.clone().unwrap_or_else(Platform::host))?;
        bring(&errand, &resolved, &options.downloads)
    })?
}

/// Lists the tags of the repository of `reference`, as its registry has them. Blocks.
///
/// # Errors
/// [`PullError::Registry`].
pub fn tags(reference: &Reference, access: &Access, progress: &dyn Progress) -> Result<Vec<String>, PullError> {
    let subject = Subject { reference: reference.clone(), purpose: Purpose::Read };
    Ok(converse(&subject, access, progress, Session::tags)??)
}

/// Fetches and unpacks what the store lacks of a resolved image, and lists it.
fn bring(errand: &Errand<'_>, resolved: &Resolved, downloads: &Slots) -> Result<Image, PullError> {
    let Errand { store, session, reference, progress } = *errand;
    let layers = Layer::all(resolved)?;
    let needs = needs(resolved, &layers);
    let (lease, listed) = store.begin(&needs)?;
    let (aborted, has_changed) = (AtomicBool::new(false), AtomicBool::new(false));
    let (lease, listed) = (&lease, &listed);
    let work = Work { store, session, lease, listed, reference, progress, aborted, has_changed };
    layers.iter().for_each(|layer| progress.report(Event::LayerWaiting { layer: &layer.blob, total: layer.size }));
    workers::fetch_all(&work, &layers, downloads)?;
    if work.has_changed.into_inner() || !listed.has(&needs) {
        store.sync()?;
    }
    store.blobs().write(&resolved.config_digest, &resolved.config_bytes)?;
    store.blobs().write(&resolved.manifest_digest, &resolved.manifest_bytes)?;
    let mut entry = entry(resolved, reference).pulled(Timestamp::now());
    // The other platforms that are here stay, as long as the registry means the same.
    if store.known(reference)?.and_then(|known| known.index).as_ref() == Some(&resolved.served) {
        entry = entry.in_index(&resolved.served);
    }
    let (image, changed) = store.publish(reference, &resolved.config_digest, entry)?;
    progress.report(Event::Done { reference, digest: &resolved.served, changed });
    Ok(image)
}

/// Asks the registry which digest `reference` has now, and stores nothing. Blocks.
///
/// # Errors
/// [`PullError::Registry`].
pub fn digest(reference: &Reference, access: &Access, progress: &dyn Progress) -> Result<Digest, PullError> {
    let subject = Subject { reference: reference.clone(), purpose: Purpose::Read };
    Ok(converse(&subject, access, progress, |session| session.manifest(None))??.digest)
}

/// Lists everything the image consists of.
fn needs(resolved: &Resolved, layers: &[Layer]) -> Needs {
    let own = [resolved.manifest_digest.clone(), resolved.config_digest.clone()];
    let blobs = layers.iter().map(|layer| layer.blob.clone()).chain(own).collect();
    let keys = |layer: &Layer| [layer.ids.diff_id.clone(), layer.ids.chain_id.clone()];
    Needs { blobs, layers: layers.iter().flat_map(keys).collect::<HashSet<_>>() }
}

/// Makes the index's entry.
fn entry(resolved: &Resolved, reference: &Reference) -> Entry {
    let platform = EntryPlatform::of(&resolved.config);
    let media_type = resolved.media_type();
    let size = resolved.manifest_bytes.len() as u64;
    let entry = Entry::new(media_type, resolved.manifest_digest.clone(), size, Some(platform));
    entry.named(&resolved.config_digest, reference, &resolved.served)
}
