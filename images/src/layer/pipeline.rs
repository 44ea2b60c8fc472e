//! One pass over a layer: its blob is hashed, copied, inflated, hashed again and unpacked while it arrives.
//!
//! Runs in the shell command's process, on three threads a layer besides the one that talks to registries:
//!
//! ```text
//! source ─▶ [caller: size, sha256, sink] ─▶ [inflate, sha256] ─▶ [tar, extractor] ─▶ directory
//! ```
//! The caller's thread reads the blob to its end even if the others fail, so that damage on the way is reported as such
//! and not as a malformed archive; only a failure of this host's file system stops it early.

use std::io::{self, BufRead, Read};
use std::os::fd::OwnedFd;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::compression::Compression;
use super::pipe::{PipeReader, PipeWriter, pipe};
use super::tar::{Reader, TarError};
use super::unpack::{Below, UnpackError, Unpacked, unpack};
use crate::digest::Digest;

/// Size of the pieces of plain archive between the inflating and the extracting thread, in bytes.
const PIECE: usize = 128 * 1024;

/// Where a blob comes from, piece by piece, from its first byte.
pub(crate) trait Source {
    /// Why the blob does not come.
    type Error;

    /// Returns the next piece, `None` at the blob's end.
    fn next(&mut self) -> Result<Option<Bytes>, Self::Error>;
}

/// What a blob must be.
#[derive(Clone, Copy)]
pub(crate) struct Expected<'a> {
    /// Its digest.
    pub(crate) digest: &'a Digest,
    /// Its size in bytes.
    pub(crate) size: u64,
}

/// A layer to unpack.
pub(crate) struct Job<'a> {
    /// Its blob.
    pub(crate) blob: Expected<'a>,
    /// How the blob is compressed.
    pub(crate) compression: Compression,
    /// Digest of the plain archive.
    pub(crate) diff_id: &'a Digest,
    /// The empty directory to unpack into.
    pub(crate) root: OwnedFd,
    /// Opens the root of the layers below.
    pub(crate) below: &'a (dyn Fn() -> io::Result<Below> + Sync),
}

/// What became of a layer whose blob is as it should be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is unpacked, and its diff ID matches.
    Unpacked(Unpacked),
    /// It cannot be unpacked without the layers below.
    NeedsBelow,
}

/// Why a layer could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PipelineError<E> {
    /// The blob does not come.
    #[error("fetch blob")]
    Source(E),
    /// The blob is not the one that was asked for.
    #[error(transparent)]
    Corrupt(#[from] CorruptBlob),
    /// The copy of the blob cannot be written.
    #[error("write blob")]
    Sink(#[source] io::Error),
    /// The blob is not compressed as its media type says.
    #[error("inflate")]
    Inflate(#[source] io::Error),
    /// The archive cannot be unpacked.
    #[error(transparent)]
    Unpack(UnpackError),
    /// The plain archive is not the one that the configuration names.
    #[error("archive has digest `{0}`")]
    DiffId(Digest),
}

/// How a blob differs from its descriptor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CorruptBlob {
    /// It goes on beyond its size.
    #[error("content is longer than its {expected} bytes")]
    Longer {
        /// Bytes it should have.
        expected: u64,
    },
    /// It ends early.
    #[error("content has {actual} bytes instead of {expected}")]
    Shorter {
        /// Bytes it should have.
        expected: u64,
        /// Bytes it has.
        actual: u64,
    },
    /// Its digest is another.
    #[error("content has digest `{actual}`")]
    Digest {
        /// The digest of what came.
        actual: Digest,
    },
}

/// Reads a blob to its end and checks it, without unpacking it; `sink` sees every piece.
pub(crate) fn verify<S: Source>(
    expected: Expected<'_>,
    source: &mut S,
    sink: &mut dyn FnMut(&Bytes) -> io::Result<()>,
) -> Result<(), PipelineError<S::Error>> {
    let rest = Rest { writer: None, stop: &AtomicBool::new(false) };
    receive(expected, source, sink, rest).map(drop)
}

/// Runs a layer through the pipeline; `sink` sees every piece of the blob.
pub(crate) fn run<S: Source>(
    job: Job<'_>,
    source: &mut S,
    sink: &mut dyn FnMut(&Bytes) -> io::Result<()>,
) -> Result<Outcome, PipelineError<S::Error>> {
    let (blob_writer, blob_reader) = pipe::<Bytes>();
    let (plain_writer, plain_reader) = pipe::<Vec<u8>>();
    let stop = AtomicBool::new(false);
    let (compression, root, below) = (job.compression, job.root, job.below);
    thread::scope(|scope| {
        let inflating = scope.spawn(move || inflate(compression, (blob_reader, job.blob.size), plain_writer));
        let extracting = scope.spawn(|| extract(plain_reader, root, below, &stop));
        let received = receive(job.blob, source, sink, Rest { writer: Some(blob_writer), stop: &stop });
        let inflated = inflating.join().unwrap_or_else(|panic| resume_unwind(panic));
        let extracted = extracting.join().unwrap_or_else(|panic| resume_unwind(panic));
        conclude(received, inflated, extracted, job.diff_id)
    })
}

/// What the caller's thread found out.
enum Received {
    /// The whole blob came and is the right one.
    Whole,
    /// The extracting thread said to stop.
    Stopped,
}

/// The rest of the pipeline, as the caller's thread sees it.
struct Rest<'a> {
    /// Where the pieces go on to; `None` if nobody unpacks.
    writer: Option<PipeWriter<Bytes>>,
    /// Set by the extracting thread when going on is pointless.
    stop: &'a AtomicBool,
}

fn receive<S: Source>(
    expected: Expected<'_>,
    source: &mut S,
    sink: &mut dyn FnMut(&Bytes) -> io::Result<()>,
    Rest { mut writer, stop }: Rest<'_>,
) -> Result<Received, PipelineError<S::Error>> {
    let mut hasher = Sha256::new();
    let mut received = 0u64;
    while let Some(piece) = source.next().map_err(PipelineError::Source)? {
        if stop.load(Ordering::Relaxed) {
            return Ok(Received::Stopped);
        }
        received += piece.len() as u64;
        if received > expected.size {
            return Err(CorruptBlob::Longer { expected: expected.size }.into());
        }
        hasher.update(&piece);
        sink(&piece).map_err(PipelineError::Sink)?;
        // Once nobody inflates any more, the blob is only kept and checked.
        writer = writer.filter(|writer| writer.send(piece).is_ok());
    }
    if received < expected.size {
        return Err(CorruptBlob::Shorter { expected: expected.size, actual: received }.into());
    }
    let actual = Digest::finish(hasher);
    if actual != *expected.digest {
        return Err(CorruptBlob::Digest { actual }.into());
    }
    if let Some(writer) = writer {
        writer.finish();
    }
    Ok(Received::Whole)
}

fn inflate(
    compression: Compression,
    (blob, size): (PipeReader<Bytes>, u64),
    writer: PipeWriter<Vec<u8>>,
) -> io::Result<Digest> {
    let mut plain = compression.bounded_reader(blob, size)?;
    let mut hasher = Sha256::new();
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        plain.by_ref().take(PIECE as u64).read_to_end(&mut piece)?;
        if piece.is_empty() {
            writer.finish();
            return Ok(Digest::finish(hasher));
        }
        hasher.update(&piece);
        if writer.send(piece).is_err() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
    }
}

fn extract(
    plain: PipeReader<Vec<u8>>,
    root: OwnedFd,
    below: &(dyn Fn() -> io::Result<Below> + Sync),
    stop: &AtomicBool,
) -> Result<Unpacked, UnpackError> {
    let mut archive = Reader::new(plain);
    let result = unpack(&mut archive, root, &|| below());
    match &result {
        // The inflating thread must reach the end too, for the diff ID covers what follows the archive's end.
        Ok(_) => drain(archive.into_inner()),
        Err(UnpackError::Entry { .. }) => stop.store(true, Ordering::Relaxed),
        Err(_) => {}
    }
    result
}

/// Reads to the end; if the stream breaks, the inflating thread knows why.
fn drain(mut plain: PipeReader<Vec<u8>>) {
    while let Ok(rest @ [_, ..]) = plain.fill_buf() {
        let length = rest.len();
        plain.consume(length);
    }
}

/// Picks the first cause: damage of the blob, then the archive, then the compression.
fn conclude<E>(
    received: Result<Received, PipelineError<E>>,
    inflated: io::Result<Digest>,
    extracted: Result<Unpacked, UnpackError>,
    diff_id: &Digest,
) -> Result<Outcome, PipelineError<E>> {
    let received = received?;
    let unpacked = match (extracted, received) {
        (Err(UnpackError::NeedsBelow { .. }), Received::Whole) => return Ok(Outcome::NeedsBelow),
        (Err(UnpackError::Archive(TarError::Read { source, .. })), _) if source.kind() == io::ErrorKind::BrokenPipe => {
            let cause = inflated.err().unwrap_or(source);
            return Err(PipelineError::Inflate(cause));
        }
        (Err(error), _) => return Err(PipelineError::Unpack(error)),
        (Ok(unpacked), _) => unpacked,
    };
    match inflated.map_err(PipelineError::Inflate)? {
        actual if actual == *diff_id => Ok(Outcome::Unpacked(unpacked)),
        actual => Err(PipelineError::DiffId(actual)),
    }
}

#[cfg(test)]
#[path = "pipeline_tests.rs"]
mod tests;
