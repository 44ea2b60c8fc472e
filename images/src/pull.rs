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
mod resolve;
mod workers;

pub use error::PullError;

pub use crate::layer::CorruptBlob;
pub use crate::manifest::ManifestError;

use std::collections::HashSet;
use std::sync::atomic::AtomicBool;

use crate::digest::Digest;
use crate::platform::Platform;
use crate::progress::{Event, Progress};
use crate::reference::Reference;
use crate::registry::{RegistryConfig, Session};
use crate::store::{Entry, EntryPlatform, Image, Needs, Store};

use self::layer::Layer;
use self::resolve::{Resolved, Resolver};
use self::workers::Work;

/// How to pull.
#[derive(Debug, Clone)]
pub struct PullOptions {
    /// The platform to choose from an index; `None` means this host's.
    pub platform: Option<Platform>,
    /// Mirrors and insecure registries.
    pub registries: RegistryConfig,
    /// How many layers are fetched and unpacked at once; at least one is.
    pub max_concurrent_downloads: usize,
}

impl Default for PullOptions {
    /// This host's platform, no mirrors, and three layers at once, as Docker does.
    fn default() -> Self {
        PullOptions { platform: None, registries: RegistryConfig::default(), max_concurrent_downloads: 3 }
    }
}

/// Pulls `reference` into `store`. Blocks; `progress` is called from several threads.
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
    let session = Session::start(reference, &options.registries)?;
    let wanted = options.platform.clone().unwrap_or_else(Platform::host);
    let resolved = Resolver { store, session: &session, reference, progress }.resolve(&wanted)?;
    let layers = Layer::all(&resolved)?;
    let needs = needs(&resolved, &layers);
    let (lease, listed) = store.begin(&needs)?;
    let (aborted, has_changed) = (AtomicBool::new(false), AtomicBool::new(false));
    let (session, lease, listed) = (&session, &lease, &listed);
    let work = Work { store, session, lease, listed, reference, progress, aborted, has_changed };
    workers::fetch_all(&work, &layers, options.max_concurrent_downloads)?;
    if work.has_changed.into_inner() || !listed.has(&needs) {
        store.sync()?;
    }
    store.blobs().write(&resolved.config_digest, &resolved.config_bytes)?;
    store.blobs().write(&resolved.manifest_digest, &resolved.manifest_bytes)?;
    let (image, changed) = store.publish(reference, &resolved.config_digest, entry(&resolved, reference))?;
    progress.report(Event::Done { reference, digest: &resolved.served, changed });
    Ok(image)
}

/// Asks the registry which digest `reference` has now, and stores nothing. Blocks.
///
/// # Errors
/// A registry that cannot be reached or does not have it.
pub fn digest(reference: &Reference, registries: &RegistryConfig) -> Result<Digest, PullError> {
    Ok(Session::start(reference, registries)?.manifest(None)?.digest)
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
    let config = &resolved.config;
    let platform = EntryPlatform {
        architecture: config.architecture().to_string(),
        os: config.os().to_string(),
        variant: config.variant().clone().filter(|variant| !variant.is_empty()),
    };
    let media_type = resolved.media_type();
    let size = resolved.manifest_bytes.len() as u64;
    let entry = Entry::new(media_type, resolved.manifest_digest.clone(), size, Some(platform));
    entry.named(&resolved.config_digest, reference, &resolved.served)
}
