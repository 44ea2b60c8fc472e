//! One layer of a pull: from wherever its bytes are to its directory.
//!
//! Runs in the shell command's process, in a worker thread of the pull.

use std::io::{self, Write};
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::error::PullError;
use super::resolve::{Resolved, compression};
use super::workers::Work;
use crate::digest::Digest;
use crate::layer::{Below, Compression, Expected, Job, Outcome, PipelineError, Source, run, verify};
use crate::manifest;
use crate::progress::Event;
use crate::registry::{Blob, RegistryError};
use crate::store::{FileSource, Ingest, LayerIds, NewLayer};

/// How often progress is reported, in bytes.
const REPORT_EVERY: u64 = 256 * 1024;

/// A layer of the image being pulled.
#[derive(Debug)]
pub(super) struct Layer {
    /// Place in the image, from the bottom.
    pub(super) position: usize,
    pub(super) blob: Digest,
    pub(super) size: u64,
    pub(super) compression: Compression,
    pub(super) ids: LayerIds,
}

/// What became of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progressed {
    /// Its directory is there.
    Ready,
    /// Its blob is there; it must be unpacked on top of the layers below.
    NeedsBelow,
}

impl Layer {
    /// Lists the layers of an image, bottom first.
    pub(super) fn all(resolved: &Resolved) -> Result<Vec<Layer>, PullError> {
        let digests = manifest::rootfs_digests(&resolved.config, &resolved.manifest, &resolved.manifest_digest)?;
        let pairs = resolved.manifest.layers().iter().zip(digests).enumerate();
        pairs
            .map(|(position, (descriptor, (diff_id, chain_id)))| {
                let blob = manifest::descriptor_digest(descriptor)?;
                let compression = compression(descriptor, &blob)?;
                let ids = LayerIds { diff_id, chain_id };
                Ok(Layer { position, size: descriptor.size(), blob, compression, ids })
            })
            .collect()
    }

    /// Brings the layer here and unpacks it as if it stood alone; a bottom layer does.
    pub(super) fn fetch(&self, work: &Work<'_>) -> Result<Progressed, PullError> {
        let blobs = work.store.blobs();
        let ingest = blobs.claim(&self.blob)?;
        if blobs.has(&self.blob, self.size) {
            let is_trusted = work.listed.blobs.contains(&self.blob);
            if is_trusted && self.is_unpacked(work) {
                work.progress.report(Event::LayerExists { layer: &self.blob });
                ingest.discard()?;
                return Ok(Progressed::Ready);
            }
            match self.process(work, &mut Origin::File(blobs.open(&self.blob)?), &mut |_| Ok(())) {
                Err(PullError::Corrupt { .. }) => blobs.remove(&self.blob)?,
                result => {
                    ingest.discard()?;
                    return result;
                }
            }
        }
        self.download(work, ingest)
    }

    /// Downloads the blob, going on where an earlier pull was interrupted; if what that left is damaged, from the start.
    fn download(&self, work: &Work<'_>, ingest: Ingest) -> Result<Progressed, PullError> {
        work.has_changed.store(true, Ordering::Relaxed);
        let left = ingest.length()?;
        if (1..=self.size).contains(&left) {
            match self.download_from(work, &ingest, left) {
                Err(PullError::Corrupt { .. }) => ingest.clear()?,
                Err(error) => return Err(error),
                Ok((progressed, writer)) => {
                    ingest.finish(writer)?;
                    return Ok(progressed);
                }
            }
        }
        loop {
            match self.download_from(work, &ingest, 0) {
                Ok((progressed, writer)) => return Ok(ingest.finish(writer).map(|()| progressed)?),
                // A mirror may be wrong where the registry is right.
                Err(PullError::Corrupt { .. }) if work.session.distrust(&self.blob) => ingest.clear()?,
                Err(error @ PullError::Corrupt { .. }) => {
                    ingest.discard()?;
                    return Err(error);
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn download_from(
        &self,
        work: &Work<'_>,
        ingest: &Ingest,
        left: u64,
    ) -> Result<(Progressed, io::BufWriter<std::fs::File>), PullError> {
        let mut writer = ingest.writer(left)?;
        let network = work.session.blob(&self.blob, left, self.size);
        let mut origin = Origin::Both(ingest.beginning(left)?, network);
        let (mut done, mut reported) = (0u64, 0u64);
        let mut sink = |piece: &Bytes| {
            done += piece.len() as u64;
            if done > left {
                writer.write_all(piece)?;
            }
            if done - reported >= REPORT_EVERY || done == self.size {
                reported = done;
                work.progress.report(Event::LayerDownload { layer: &self.blob, done, total: self.size });
            }
            Ok(())
        };
        let progressed = self.process(work, &mut origin, &mut sink)?;
        Ok((progressed, writer))
    }

    /// Checks the blob and, unless that is done already, unpacks it.
    fn process(
        &self,
        work: &Work<'_>,
        origin: &mut Origin,
        sink: &mut dyn FnMut(&Bytes) -> io::Result<()>,
    ) -> Result<Progressed, PullError> {
        if self.is_unpacked(work) {
            let mut origin = Abortable { origin, work };
            verify(self.expected(), &mut origin, sink).map_err(|error| self.error(work, error))?;
            return Ok(Progressed::Ready);
        }
        self.unpack(work, origin, sink, Base::Unseen)
    }

    /// Unpacks the layer on top of those below, whose keys are `below`, bottom first; its blob is in the store.
    pub(super) fn unpack_on_top(&self, work: &Work<'_>, below: &[Digest]) -> Result<(), PullError> {
        let mut origin = Origin::File(work.store.blobs().open(&self.blob)?);
        self.unpack(work, &mut origin, &mut |_| Ok(()), Base::Layers(below)).map(drop)
    }

    fn unpack(
        &self,
        work: &Work<'_>,
        origin: &mut Origin,
        sink: &mut dyn FnMut(&Bytes) -> io::Result<()>,
        base: Base<'_>,
    ) -> Result<Progressed, PullError> {
        work.has_changed.store(true, Ordering::Relaxed);
        let directories = work.store.layer_directories();
        let staging = directories.stage(work.lease.name())?;
        let below = || match base {
            Base::Unseen if self.position == 0 => Ok(Below::Nothing),
            Base::Unseen => Ok(Below::Unknown),
            Base::Layers(keys) => directories.below(keys),
        };
        let (compression, diff_id, root) = (self.compression, &self.ids.diff_id, staging.root()?);
        let job = Job { blob: self.expected(), compression, diff_id, root, below: &below };
        let outcome = run(job, &mut Abortable { origin, work }, sink).map_err(|error| self.error(work, error))?;
        match outcome {
            Outcome::NeedsBelow => Ok(Progressed::NeedsBelow),
            Outcome::Unpacked(unpacked) => {
                let stands_alone = matches!(base, Base::Unseen);
                let new = NewLayer { staging: &staging, ids: &self.ids, unpacked, stands_alone };
                work.store.commit_layer(&new, work.listed)?;
                work.progress.report(Event::LayerUnpacked { layer: &self.blob });
                Ok(Progressed::Ready)
            }
        }
    }

    fn expected(&self) -> Expected<'_> {
        Expected { digest: &self.blob, size: self.size }
    }

    /// Tells whether the layer's directory is there and whole.
    pub(super) fn is_unpacked(&self, work: &Work<'_>) -> bool {
        self.key(work).is_some()
    }

    /// Returns the name of the layer's directory, if that is there and whole.
    pub(super) fn key(&self, work: &Work<'_>) -> Option<Digest> {
        let found = work.store.layer_directories().find_whole(&self.ids, &work.listed.layers)?;
        Some(found.key)
    }

    fn error(&self, work: &Work<'_>, error: PipelineError<OriginError>) -> PullError {
        match error {
            PipelineError::Source(OriginError::Registry(error)) => PullError::Registry(error),
            PipelineError::Source(OriginError::Aborted) => PullError::GivenUp(self.blob.clone()),
            PipelineError::Corrupt(source) => {
                PullError::Corrupt { digest: self.blob.clone(), reference: work.reference.familiar(), source }
            }
            other => PullError::Layer { layer: self.blob.clone(), source: Box::new(other) },
        }
    }
}

/// What a layer is unpacked on.
#[derive(Clone, Copy)]
enum Base<'a> {
    /// Whatever there is: as if it stood alone.
    Unseen,
    /// The layers of these keys, bottom first.
    Layers(&'a [Digest]),
}

/// Where the bytes of a blob come from.
enum Origin {
    /// The store.
    File(FileSource),
    /// What an interrupted pull left, then the network.
    Both(FileSource, Blob),
}

/// Why the bytes of a blob do not come.
#[derive(Debug, thiserror::Error)]
enum OriginError {
    /// From the registry.
    #[error(transparent)]
    Registry(RegistryError),
    /// From the store.
    #[error("read the stored blob")]
    File(#[source] io::Error),
    /// Another layer of the image has failed.
    #[error("another layer has failed")]
    Aborted,
}

/// Ends when another layer of the image has failed.
struct Abortable<'a> {
    origin: &'a mut Origin,
    work: &'a Work<'a>,
}

impl Source for Abortable<'_> {
    type Error = OriginError;

    fn next(&mut self) -> Result<Option<Bytes>, OriginError> {
        if self.work.is_aborted() {
            return Err(OriginError::Aborted);
        }
        match self.origin {
            Origin::File(file) => file.next().map_err(OriginError::File),
            Origin::Both(file, network) => match file.next().map_err(OriginError::File)? {
                Some(piece) => Ok(Some(piece)),
                None => network.next().map_err(OriginError::Registry),
            },
        }
    }
}
