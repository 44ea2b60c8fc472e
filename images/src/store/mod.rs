//! The image store: `ROOT/images`, an OCI image layout, and `ROOT/layers`, the unpacked layers.
//!
//! Runs in the shell command's process. Readers take no lock; what they see is complete because every file appears by
//! rename.

use std::path::{Path, PathBuf};

use oci_spec::image::ImageConfiguration;

use crate::digest::Digest;
use crate::reference::Reference;

/// A handle on the store under one root directory; cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
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
    /// `NAME@DIGEST` as served by registries, sorted.
    pub repo_digests: Vec<String>,
    /// The configuration.
    pub config: ImageConfiguration,
    /// Bytes of the unpacked layers.
    pub size: u64,
    /// The layers' keys, bottom first.
    pub layers: Vec<LayerKey>,
}

/// The name of a layer's directory under `ROOT/layers`: its diff ID, or its chain ID if it cannot stand alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LayerKey(Digest);

/// One thing `remove` did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removed {
    /// A name was taken away.
    Untagged(String),
    /// An image was deleted.
    Deleted(Digest),
}

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {}

impl Store {
    /// Opens the store under `root`, making what is absent.
    pub fn open(root: &Path) -> Result<Store, StoreError> {
        Ok(Store { root: root.to_owned() })
    }

    /// Finds an image by reference, id or unique prefix of an id.
    pub fn find(&self, _name: &str) -> Result<Option<Image>, StoreError> {
        todo!()
    }

    /// Lists every image.
    pub fn list(&self) -> Result<Vec<Image>, StoreError> {
        todo!()
    }

    /// Removes as `docker rmi` does.
    pub fn remove(
        &self,
        _name: &str,
        _force: bool,
        _in_use: &dyn Fn(&Digest) -> Option<String>,
    ) -> Result<Vec<Removed>, StoreError> {
        todo!()
    }

    /// Returns the layers' directories, topmost first.
    pub fn layers(&self, _image: &Image) -> Result<Vec<PathBuf>, StoreError> {
        todo!("{:?}", self.root)
    }
}
