//! Layers: from the blob as a registry serves it to a directory that overlayfs can use as a lower layer, and back.
//!
//! Runs in the shell command's process, on threads of their own.

mod compression;
mod diff;
mod pipe;
mod pipeline;
mod tar;
mod unpack;

pub(crate) use compression::Compression;
pub use diff::DiffError;
pub(crate) use diff::{Form, Selection, write as write_directory, write_entry};
pub use pipeline::CorruptBlob;
pub(crate) use pipeline::{Expected, Job, Outcome, PipelineError, Source, run, verify};
pub(crate) use tar::{Entry, Kind, Reader, Timestamp, Writer};
pub use unpack::Copied;
pub(crate) use unpack::{
    Attributes, Below, Unpacked, Xattrs, clean, flatten, is_opaque, kind, open_directory, restorable_of_file,
    restorable_xattrs, status, unpack,
};
