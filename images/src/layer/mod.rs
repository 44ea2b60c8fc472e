//! Layers: from the blob as a registry serves it to a directory that overlayfs can use as a lower layer.
//!
//! Runs in the shell command's process, on threads of their own.

mod compression;
mod pipe;
mod pipeline;
mod tar;
mod unpack;

pub(crate) use compression::Compression;
pub use pipeline::CorruptBlob;
pub(crate) use pipeline::{Expected, Job, Outcome, PipelineError, Source, run, verify};
pub(crate) use unpack::{Below, Unpacked};

#[cfg(fuzzing)]
pub(crate) use {tar::Reader, unpack::unpack};
