//! `load`: from an archive to listed images.
//!
//! Runs in the shell command's process. Before: anything, also what a killed command left. After: every image of the
//! archive is listed under its names, durably; or an error, and the store lists what it listed before.

use super::documents::{self, Found};
use super::error::ArchiveError;
pub use super::members::Input;
use super::members::Members;
use crate::install::Installation;
use crate::platform::Platform;
use crate::progress::Progress;
use crate::reference::Reference;
use crate::store::{Image, Needs, Store};

/// How to load.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// The platform to choose where there are several, and that every image must be of; `None` means all of an index that is
    /// whole, else this host's, and any.
    pub platform: Option<Platform>,
}

/// An image that was loaded.
#[derive(Debug)]
pub struct Loaded {
    /// The image.
    pub image: Image,
    /// The names that the archive gave it, if any.
    pub names: Vec<Reference>,
}

/// Loads every image of an archive, plain or compressed with gzip or zstd.
///
/// # Errors
/// [`ArchiveError`].
pub fn load(
    store: &Store,
    input: Input,
    options: &LoadOptions,
    progress: &dyn Progress,
) -> Result<Vec<Loaded>, ArchiveError> {
    let members = Members::read(store, input)?;
    enter(store, documents::find(&members, options.platform.as_ref())?, progress)
}

/// Installs images and lists them.
pub(super) fn enter(store: &Store, found: Vec<Found>, progress: &dyn Progress) -> Result<Vec<Loaded>, ArchiveError> {
    let mut needs = Needs::default();
    for image in &found {
        needs.extend(image.image.needs()?);
        image.whole.iter().for_each(|whole| needs.extend(whole.needs()));
    }
    let (lease, listed) = store.begin(&needs)?;
    let installation = Installation::new(store, &lease, &listed, progress);
    found.iter().try_for_each(|image| installation.install(&image.image.chain, &image.layers))?;
    found.iter().filter_map(|image| image.whole.as_ref()).try_for_each(|whole| whole.keep(store))?;
    let listed = |found: Found| match found.whole {
        Some(whole) => (found.image.in_index(whole.digest), found.names),
        None => (found.image, found.names),
    };
    let images: Vec<_> = found.into_iter().map(listed).collect();
    let entered = store.enter(&images)?;
    Ok(entered.into_iter().zip(images).map(|(image, (_, names))| Loaded { image, names }).collect())
}
