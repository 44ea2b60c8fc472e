//! The image store: `ROOT/images`, an OCI image layout, and `ROOT/layers`, the unpacked layers.
//!
//! Runs in the shell command's process. Readers take no lock: every file and directory appears by rename, complete, so
//! what they see is whole. Writers take the store's lock for file work only, never while they wait for a network.
//!
//! ```text
//! ROOT/images/   oci-layout  index.json  blobs/sha256/HEX     what skopeo and umoci read
//!                lock  leases/NAME  ingest/HEX                ours: see lease and blobs
//! ROOT/layers/   HEX/{fs, layer.json}  .staging-…  .deleted-…
//! ```

mod blobs;
mod catalog;
mod check;
mod complete;
mod copy;
mod enter;
mod error;
pub(crate) mod files;
mod find;
mod image;
mod index;
mod known;
mod layers;
mod lease;
mod prune;
mod remove;
mod repair;
mod reserve;
mod served;
mod sweep;
mod tag;
mod upload;
mod usage;
mod variants;
mod write;

pub use crate::install::InstallError;
pub use crate::layer::Copied;
pub use check::{Fault, Leftover, Report};
pub use error::StoreError;
pub use prune::Pruned;
pub use repair::Repaired;
pub use usage::{ImageUsage, Usage};

pub(crate) use blobs::{Blobs, FileSource, Ingest};
pub(crate) use catalog::{Catalog, Node, Repository, Served, Stamp};
pub(crate) use enter::Assembled;
pub(crate) use index::{Entry, EntryPlatform};
pub(crate) use known::Known;
pub(crate) use layers::{LayerIds, Layers, NewLayer, Staging};
pub(crate) use lease::{Lease, Needs};
pub(crate) use served::Deleted;
pub(crate) use upload::Upload;
pub(crate) use write::Listed;

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};

use nix::fcntl::Flock;
use oci_spec::image::ImageConfiguration;

use self::index::Index;
use crate::digest::Digest;
pub use crate::manifest::Healthcheck;
use crate::platform::Platform;
use crate::reference::Reference;

/// The file that makes a directory an OCI image layout (image-layout.md, "oci-layout file").
pub(crate) const LAYOUT_FILE: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// A handle on the store under one root directory; cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
    images: PathBuf,
    blobs: Blobs,
    layers: Layers,
}

/// One image of the store.
#[derive(Debug, Clone)]
pub struct Image {
    /// Digest of the configuration: the image id.
    pub id: Digest,
    /// Digest of the image manifest.
    pub manifest: Digest,
    /// The names it is kept under, sorted; empty for a dangling image.
    pub references: Vec<Reference>,
    /// `NAME@DIGEST` in familiar form, as registries served it, sorted.
    pub repo_digests: Vec<String>,
    /// The configuration.
    pub config: ImageConfiguration,
    /// The configuration's HEALTHCHECK, which only Docker's form of it has.
    pub healthcheck: Option<Healthcheck>,
    /// Bytes of the regular files of all layers.
    pub size: u64,
    /// The layers' keys, bottom first.
    pub layers: Vec<LayerKey>,
    /// Bytes of the regular files of each of `layers`.
    pub layer_sizes: Vec<u64>,
    /// Which of `layers` is the topmost one that says what its root directory is like.
    root_layer: Option<usize>,
}

impl Image {
    /// Returns the platform it runs on.
    pub fn platform(&self) -> Platform {
        Platform::of(&self.config)
    }

    /// Returns a name for messages: the first reference, else the short id.
    pub fn name(&self) -> String {
        self.references.first().map_or_else(|| self.id.short().to_owned(), Reference::familiar)
    }

    /// Tells whether it is made for a platform, or for a lower variant of it.
    pub fn runs_on(&self, platform: &Platform) -> bool {
        let (os, architecture) = (self.config.os().to_string(), self.config.architecture().to_string());
        let variant = self.config.variant().clone().filter(|variant| !variant.is_empty());
        platform.accepts(&Platform { os, architecture, variant }).is_some()
    }
}

/// The name of a layer's directory under `ROOT/layers`: its diff ID, or its chain ID if it cannot stand alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LayerKey(Digest);

impl LayerKey {
    /// Returns the digest that names the directory.
    pub fn digest(&self) -> &Digest {
        &self.0
    }
}

impl fmt::Display for LayerKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// One thing that [`Store::remove`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removed {
    /// A name was taken away; it is in familiar form.
    Untagged(String),
    /// An image or a layer was deleted.
    Deleted(Digest),
}

impl Store {
    /// Opens the store under `root`, making what is absent: `images/` and `layers/`, for root alone.
    ///
    /// # Errors
    /// [`StoreError::File`] if a directory or file cannot be made.
    pub fn open(root: &Path) -> Result<Store, StoreError> {
        let (images, layers) = (root.join("images"), root.join("layers"));
        let blobs = Blobs::new(images.clone());
        for directory in [&blobs.finished(), &blobs.unfinished(), &images.join("leases"), &layers] {
            files::ensure_directory(directory)?;
        }
        let store = Store { root: root.to_owned(), images, blobs, layers: Layers::new(layers)? };
        store.ensure_layout()?;
        Ok(store)
    }

    fn ensure_layout(&self) -> Result<(), StoreError> {
        let (layout, index) = (self.images.join("oci-layout"), Index::path(&self.images));
        if layout.exists() && index.exists() {
            return Ok(());
        }
        let _lock = self.lock()?;
        files::replace(&layout, LAYOUT_FILE)?;
        if index.exists() { Ok(()) } else { Index::empty().write(&self.images) }
    }

    /// Finds an image by reference (in any form), by id or by the unique beginning of an id.
    ///
    /// # Errors
    /// [`StoreError::Ambiguous`], [`StoreError::Name`] if `name` can be neither, [`StoreError::Damaged`].
    pub fn find(&self, name: &str) -> Result<Option<Image>, StoreError> {
        loop {
            let index = Index::read(&self.images)?;
            let Some(found) = Store::lookup(&index, name)? else { return Ok(None) };
            match self.load(&index, found.id()) {
                // its documents were there when the index was written: perhaps it has been removed since
                Err(StoreError::Damaged { .. }) if Index::read(&self.images)? != index => {}
                image => return image.map(Some),
            }
        }
    }

    /// Lists every image that can be read, the ones without a name too. A damaged one shows when it is asked for.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if the index itself cannot be read.
    pub fn list(&self) -> Result<Vec<Image>, StoreError> {
        let index = Index::read(&self.images)?;
        let mut ids: Vec<Digest> = index.manifests.iter().filter_map(Entry::id).collect();
        ids.sort();
        ids.dedup();
        Ok(ids.iter().filter_map(|id| self.load(&index, id).ok()).collect())
    }

    /// Returns the layers' files, topmost first, ready for overlayfs's `lowerdir`.
    ///
    /// # Errors
    /// [`StoreError::MissingLayer`].
    pub fn layers(&self, image: &Image) -> Result<Vec<PathBuf>, StoreError> {
        let path = |key: &LayerKey| {
            let path = self.layers.files_of(&key.0);
            let missing = || StoreError::MissingLayer { layer: key.0.clone(), image: image.name() };
            if path.is_dir() { Ok(path) } else { Err(missing()) }
        };
        image.layers.iter().rev().map(path).collect()
    }

    /// Returns the directory whose owner, mode and times the image's root directory has, or `None` if the image does
    /// not say (then it is root's, 0755).
    ///
    /// overlayfs takes the root's attributes from the topmost layer, `upperdir` where there is one; so whoever makes
    /// that directory copies them from here.
    pub fn root_directory(&self, image: &Image) -> Option<PathBuf> {
        image.root_layer.and_then(|position| image.layers.get(position)).map(|key| self.layers.files_of(&key.0))
    }

    /// Runs `f` while nobody else changes the store. `f` only looks: what changes the store takes the same lock.
    ///
    /// # Errors
    /// [`StoreError::File`] if the lock cannot be had.
    pub fn locked<T>(&self, f: impl FnOnce(&Store) -> T) -> Result<T, StoreError> {
        let _lock = self.lock()?;
        Ok(f(self))
    }

    fn lock(&self) -> Result<Flock<File>, StoreError> {
        let path = self.images.join("lock");
        files::lock(files::open_lock_file(&path)?, &path)
    }

    /// Returns the installation's directory.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    fn leases(&self) -> PathBuf {
        self.images.join("leases")
    }
}
