//! `check --repair`: takes out what is damaged, unpacks again what can be, and sweeps what is left over.
//!
//! Runs in the shell command's process. Before: a report of what is wrong. After: every image that is listed is whole, but
//! for those that containers have, whose layers are all that these need.

use std::fmt;

use super::check::{Fault, Report};
use super::error::{Context, StoreError};
use super::files;
use super::index::{Entry, Index};
use super::layers::LayerIds;
use super::lease::Needs;
use super::{Removed, Store};
use crate::digest::Digest;
use crate::install::{InstallError, LocalLayer};
use crate::layer::Compression;
use crate::manifest;
use crate::progress::Progress;

/// What an image consists of.
pub(super) struct Parts {
    pub(super) needs: Needs,
    pub(super) chain: Vec<LayerIds>,
    pub(super) layers: Vec<LocalLayer>,
}

/// One thing that a repair did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repaired {
    /// A damaged blob is gone.
    Blob(Digest),
    /// A layer was unpacked again.
    Layer(Digest),
    /// An image that could not be made whole is gone.
    Image(Removed),
    /// The index could not be read: it was put aside, and images were found by their manifests.
    Index {
        /// The old file's new name.
        aside: String,
        /// How many images were found; their names are lost.
        found: usize,
    },
}

impl fmt::Display for Repaired {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Repaired::Blob(digest) => write!(formatter, "removed the damaged blob `{digest}`"),
            Repaired::Layer(diff_id) => write!(formatter, "unpacked layer `{diff_id}` again"),
            Repaired::Image(Removed::Untagged(name)) => {
                write!(formatter, "removed image `{name}`, which lacks a part: pull it again")
            }
            Repaired::Image(Removed::Deleted(id)) => write!(formatter, "removed image `{id}`, which lacks a part"),
            Repaired::Index { aside, found } => {
                write!(formatter, "put the damaged index aside as `{aside}`, and found {found} images without it")
            }
        }
    }
}

impl Store {
    /// Mends what `report` found; an image that `is_in_use` keeps its entry, whatever it lacks.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be changed.
    pub fn repair(
        &self,
        report: &Report,
        is_in_use: &dyn Fn(&Digest) -> bool,
        progress: &dyn Progress,
    ) -> Result<Vec<Repaired>, StoreError> {
        let mut done = Vec::new();
        for fault in &report.faults {
            if let Fault::Blob { digest, .. } = fault
                && self.blobs.path(digest).exists()
            {
                self.blobs.remove(digest)?;
                done.push(Repaired::Blob(digest.clone()));
            }
        }
        self.unpack_missing(progress, &mut done)?;
        let lock = self.lock()?;
        let mut index = Index::read(&self.images)?;
        let is_lost = |entry: &Entry| entry.id().is_some_and(|id| !is_in_use(&id)) && !self.is_whole(entry);
        let lost: Vec<Entry> = index.manifests.iter().filter(|entry| is_lost(entry)).cloned().collect();
        if !lost.is_empty() {
            index.manifests.retain(|entry| !lost.contains(entry));
            index.write(&self.images)?;
        }
        done.extend(lost.iter().map(|entry| Repaired::Image(removed(entry))));
        let swept = self.sweep(&index)?;
        drop(lock);
        swept.finish()?;
        Ok(done)
    }

    /// Unpacks the layers that are not, of images whose blobs are here.
    fn unpack_missing(&self, progress: &dyn Progress, done: &mut Vec<Repaired>) -> Result<(), StoreError> {
        let index = Index::read(&self.images)?;
        for entry in index.manifests.iter().filter(|entry| !entry.was_pushed()) {
            let Ok(parts) = self.parts_of(entry) else { continue };
            match self.install_missing(parts, progress) {
                Ok(layers) => done.extend(layers.into_iter().map(Repaired::Layer)),
                Err(InstallError::Store(error)) => return Err(error),
                // Then the image is not whole.
                Err(InstallError::Corrupt { .. } | InstallError::Layer { .. }) => {}
            }
        }
        self.sync()
    }

    pub(super) fn clear_layer(&self, ids: &LayerIds) -> Result<(), StoreError> {
        let _lock = self.lock()?;
        for key in [&ids.diff_id, &ids.chain_id] {
            let path = self.layers.path().join(key.hex());
            if path.exists() && !self.layers.files_of(key).is_dir() {
                files::remove_tree(&path)?;
            }
        }
        Ok(())
    }

    /// Tells whether everything that an entry's image needs is here; blobs by their size, for they were read before. What was
    /// pushed need not be unpacked.
    fn is_whole(&self, entry: &Entry) -> bool {
        let is_unpacked = |parts: Parts| parts.chain.iter().all(|ids| self.has_layer(ids));
        self.parts_of(entry).is_ok_and(|parts| entry.was_pushed() || is_unpacked(parts))
    }

    /// Makes an index of the manifests that are among the blobs, if the index cannot be read.
    ///
    /// # Errors
    /// [`StoreError::File`].
    pub fn repair_index(&self) -> Result<Option<Repaired>, StoreError> {
        let _lock = self.lock()?;
        match Index::read(&self.images) {
            Err(StoreError::Damaged { .. }) => {}
            result => return result.map(|_| None),
        }
        let path = Index::path(&self.images);
        let aside = path.with_file_name(format!("index.json.damaged-{}", files::random_name()));
        std::fs::rename(&path, &aside).context("move away", &path)?;
        let mut index = Index::empty();
        for name in files::names(&self.blobs.finished())? {
            let Ok(digest) = format!("sha256:{name}").parse() else { continue };
            if let Some(entry) = self.entry_of(&digest).filter(|entry| self.is_whole(entry)) {
                index.add(entry);
            }
        }
        index.write(&self.images)?;
        Ok(Some(Repaired::Index { aside: aside.display().to_string(), found: index.manifests.len() }))
    }

    /// Makes an entry of a blob that is an image manifest.
    fn entry_of(&self, digest: &Digest) -> Option<Entry> {
        let (document, bytes) = self.manifest(digest).ok()?;
        let id = manifest::descriptor_digest(document.config()).ok()?;
        let said = document.media_type().as_ref().map(ToString::to_string);
        let media_type = said.unwrap_or_else(|| manifest::OCI_MANIFEST.to_owned());
        Some(Entry::new(media_type, digest.clone(), bytes.len() as u64, None).of_image(&id))
    }

    /// Collects what an entry's image consists of, all blobs of which are here.
    pub(super) fn parts_of(&self, entry: &Entry) -> Result<Parts, StoreError> {
        let needs = self.needs(entry)?;
        let (document, _) = self.manifest(&entry.digest)?;
        let damaged = |why: String| StoreError::Damaged { path: self.blobs.path(&entry.digest), why };
        let id = entry.id().ok_or_else(|| damaged("its descriptor names no configuration".to_owned()))?;
        let chain = self.chain_of(&id)?;
        let mut layers = Vec::new();
        for (position, descriptor) in document.layers().iter().enumerate() {
            let blob = manifest::descriptor_digest(descriptor).map_err(|error| damaged(error.to_string()))?;
            let compression = Compression::of(descriptor.media_type().as_ref());
            let compression = compression.ok_or_else(|| damaged("a layer has an unknown media type".to_owned()))?;
            let content = self.blobs.content(&blob)?;
            layers.push(LocalLayer { position, blob, compression, content, is_stored: true });
        }
        if layers.len() != chain.len() {
            return Err(damaged("it has not as many layers as its configuration".to_owned()));
        }
        Ok(Parts { needs, chain, layers })
    }
}

fn removed(entry: &Entry) -> Removed {
    match (entry.reference(), entry.id()) {
        (Some(reference), _) => Removed::Untagged(reference.familiar()),
        (None, id) => Removed::Deleted(id.unwrap_or_else(|| entry.digest.clone())),
    }
}
