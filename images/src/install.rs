//! Installs the layers of an image that are on this host already: from an archive, from a container, from blobs.
//!
//! Runs in the shell command's process: one thread for each layer in work, and the three of its pipeline. Before: a lease
//! on what the image needs. After: every layer has its blob and its directory, both checked; the caller makes that
//! durable ([`crate::store::Store::sync`]) and lists the image.

use std::collections::HashSet;
use std::io;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use bytes::Bytes;

use crate::content::Content;
use crate::digest::Digest;
use crate::layer::{Below, Compression, CorruptBlob, Expected, Job, Outcome, PipelineError, run, verify};
use crate::progress::{Event, Progress};
use crate::store::{Ingest, LayerIds, Lease, Listed, NewLayer, Store, StoreError};

/// A layer whose bytes are here.
#[derive(Debug, Clone)]
pub(crate) struct LocalLayer {
    /// Place in the image, from the bottom.
    pub(crate) position: usize,
    /// Digest of `content`.
    pub(crate) blob: Digest,
    pub(crate) compression: Compression,
    pub(crate) content: Content,
    /// Whether `content` is the store's own blob, which need not be written again.
    pub(crate) is_stored: bool,
}

/// What every layer needs.
pub(crate) struct Installation<'a> {
    store: &'a Store,
    lease: &'a Lease,
    listed: &'a Listed,
    progress: &'a dyn Progress,
    /// Blobs installed by this command.
    done: Mutex<HashSet<Digest>>,
}

/// Why a layer could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The bytes are not those that were promised.
    #[error("layer `{layer}` is corrupt")]
    Corrupt {
        /// Digest that was promised.
        layer: Digest,
        /// What is wrong.
        #[source]
        source: CorruptBlob,
    },
    /// The layer cannot be unpacked.
    #[error("unpack layer `{layer}`")]
    Layer {
        /// Digest of the layer's blob.
        layer: Digest,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store cannot take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What became of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Installed {
    /// Its blob and its directory are there.
    Ready,
    /// Its blob is there; it must be unpacked on top of the layers below.
    NeedsBelow,
}

impl<'a> Installation<'a> {
    pub(crate) fn new(store: &'a Store, lease: &'a Lease, listed: &'a Listed, progress: &'a dyn Progress) -> Self {
        Installation { store, lease, listed, progress, done: Mutex::default() }
    }

    /// Installs `layers`, which are some of those of an image whose layers are `chain`, bottom first.
    pub(crate) fn install(&self, chain: &[LayerIds], layers: &[LocalLayer]) -> Result<(), InstallError> {
        let next = AtomicUsize::new(0);
        let worker = || -> Result<Vec<&LocalLayer>, InstallError> {
            let mut on_top = Vec::new();
            while let Some(layer) = layers.get(next.fetch_add(1, Ordering::Relaxed)) {
                // Whoever is told to stop takes no further layer.
                let result = self.layer(layer, chain).inspect_err(|_| next.store(layers.len(), Ordering::Relaxed));
                if result? == Installed::NeedsBelow {
                    on_top.push(layer);
                }
            }
            Ok(on_top)
        };
        let workers = thread::available_parallelism().map_or(1, usize::from).clamp(1, layers.len().max(1));
        let results: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
        });
        let mut on_top = results.into_iter().collect::<Result<Vec<_>, _>>()?.concat();
        on_top.sort_by_key(|layer| layer.position);
        on_top.into_iter().try_for_each(|layer| self.unpack_on_top(layer, chain))
    }

    fn layer(&self, layer: &LocalLayer, chain: &[LayerIds]) -> Result<Installed, InstallError> {
        let ids = &chain[layer.position];
        let ingest = self.store.blobs().claim(&layer.blob)?;
        if self.is_unpacked(ids) && self.has_blob(layer) {
            self.progress.report(Event::LayerExists { layer: &layer.blob });
            ingest.discard()?;
            return Ok(Installed::Ready);
        }
        let installed = self.write(layer, ids, ingest)?;
        self.done.lock().unwrap_or_else(PoisonError::into_inner).insert(layer.blob.clone());
        Ok(installed)
    }

    fn has_blob(&self, layer: &LocalLayer) -> bool {
        let is_trusted = self.listed.blobs.contains(&layer.blob)
            || self.done.lock().unwrap_or_else(PoisonError::into_inner).contains(&layer.blob);
        is_trusted && self.store.blobs().has(&layer.blob, layer.content.length())
    }

    /// Checks the layer, unpacks it unless that is done, and keeps its blob.
    fn write(&self, layer: &LocalLayer, ids: &LayerIds, ingest: Ingest) -> Result<Installed, InstallError> {
        let path = |source| StoreError::File { act: "read", path: self.store.blobs().path(&layer.blob), source };
        let own = layer.content.file().map_err(path)?;
        if layer.is_stored {
            let installed = self.process(layer, ids, &mut |_| Ok(()))?;
            ingest.discard()?;
            return Ok(installed);
        }
        // A file that nothing else has becomes the blob itself, once it has been checked.
        if let Some(file) = own.filter(|file| is_nameless(file)) {
            let installed = self.process(layer, ids, &mut |_| Ok(()))?;
            if ingest.adopt(file)? {
                ingest.discard()?;
                return Ok(installed);
            }
        }
        let mut writer = ingest.writer(0)?;
        let written = self.process(layer, ids, &mut |piece| io::Write::write_all(&mut writer, piece));
        match written {
            Ok(installed) => ingest.finish(writer).map(|()| installed).map_err(InstallError::from),
            Err(error) => {
                ingest.discard()?;
                Err(error)
            }
        }
    }

    fn process(
        &self,
        layer: &LocalLayer,
        ids: &LayerIds,
        sink: &mut dyn FnMut(&Bytes) -> io::Result<()>,
    ) -> Result<Installed, InstallError> {
        if self.is_unpacked(ids) {
            let checked = verify(expected(layer), &mut layer.content.reader(), sink);
            return checked.map(|()| Installed::Ready).map_err(|error| failure(layer, error));
        }
        let base = if layer.position == 0 { Base::Bottom } else { Base::Unseen };
        self.unpack(layer, ids, sink, base)
    }

    fn unpack_on_top(&self, layer: &LocalLayer, chain: &[LayerIds]) -> Result<(), InstallError> {
        let ids = &chain[layer.position];
        if self.is_unpacked(ids) {
            return Ok(());
        }
        let found = chain[..layer.position].iter().map(|below| self.key(below)).collect::<Option<Vec<_>>>();
        // They were made by now, by us or by somebody else, and our lease keeps them.
        let keys = found.ok_or_else(|| InstallError::Layer {
            layer: layer.blob.clone(),
            source: "a layer below it is missing".into(),
        })?;
        self.unpack(layer, ids, &mut |_| Ok(()), Base::Layers(&keys)).map(drop)
    }

    fn unpack(
        &self,
        layer: &LocalLayer,
        ids: &LayerIds,
        sink: &mut dyn FnMut(&Bytes) -> io::Result<()>,
        base: Base<'_>,
    ) -> Result<Installed, InstallError> {
        let directories = self.store.layer_directories();
        let staging = directories.stage(self.lease.name())?;
        let below = || match base {
            Base::Bottom => Ok(Below::Nothing),
            Base::Unseen => Ok(Below::Unknown),
            Base::Layers(keys) => directories.below(keys),
        };
        let (blob, compression, root) = (expected(layer), layer.compression, staging.root()?);
        let job = Job { blob, compression, diff_id: &ids.diff_id, root, below: &below };
        match run(job, &mut layer.content.reader(), sink).map_err(|error| failure(layer, error))? {
            Outcome::NeedsBelow => Ok(Installed::NeedsBelow),
            Outcome::Unpacked(unpacked) => {
                let stands_alone = !matches!(base, Base::Layers(_));
                let new = NewLayer { staging: &staging, ids, unpacked, stands_alone };
                self.store.commit_layer(&new, self.listed)?;
                self.progress.report(Event::LayerUnpacked { layer: &layer.blob });
                Ok(Installed::Ready)
            }
        }
    }

    fn is_unpacked(&self, ids: &LayerIds) -> bool {
        self.key(ids).is_some()
    }

    fn key(&self, ids: &LayerIds) -> Option<Digest> {
        let found = self.store.layer_directories().find_whole(ids, &self.listed.layers)?;
        Some(found.key)
    }
}

/// What a layer is unpacked on.
#[derive(Clone, Copy)]
enum Base<'a> {
    /// Nothing: it is the bottom layer.
    Bottom,
    /// Whatever there is: as if it stood alone.
    Unseen,
    /// The layers of these keys, bottom first.
    Layers(&'a [Digest]),
}

fn is_nameless(file: &std::fs::File) -> bool {
    use std::os::unix::fs::MetadataExt;
    file.metadata().is_ok_and(|metadata| metadata.nlink() == 0)
}

fn expected(layer: &LocalLayer) -> Expected<'_> {
    Expected { digest: &layer.blob, size: layer.content.length() }
}

fn failure(layer: &LocalLayer, error: PipelineError<io::Error>) -> InstallError {
    match error {
        PipelineError::Corrupt(source) => InstallError::Corrupt { layer: layer.blob.clone(), source },
        PipelineError::Source(source) => InstallError::Layer { layer: layer.blob.clone(), source: source.into() },
        other => InstallError::Layer { layer: layer.blob.clone(), source: Box::new(other) },
    }
}
