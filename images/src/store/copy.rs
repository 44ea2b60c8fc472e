//! An image's files in one directory, for where overlayfs cannot stack its layers.
//!
//! Runs in the monitor; writes nothing into the store.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;

use super::error::{Context, StoreError};
use super::{Image, Store};
use crate::layer::{Copied, flatten};

impl Store {
    /// Copies what the image's layers show together into the empty directory `target`, which is on the store's file system;
    /// durable when this returns. The root itself keeps its owner, mode and times.
    ///
    /// # Errors
    /// [`StoreError::MissingLayer`], and failures of the file system.
    pub fn copy_layers(&self, image: &Image, target: &Path) -> Result<Copied, StoreError> {
        let open = |path: &Path| File::open(path).map(OwnedFd::from).context("open", path);
        let layers = self.layers(image)?.iter().map(|layer| open(layer)).collect::<Result<_, _>>()?;
        let copied = flatten(layers, open(target)?).context("copy the image's layers to", target)?;
        self.sync()?;
        Ok(copied)
    }
}
