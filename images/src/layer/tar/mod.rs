//! Reads tar archives as image layers use them: ustar, GNU and PAX, streaming, strict, in bounded memory; and writes them.
//!
//! Runs in the shell command's process, in a layer's extracting thread. The header's text fields are decoded by the
//! `tar` crate; the walk from header to header is ours, because that crate splits PAX records at newlines (binary
//! attributes contain them), drops sub-second times and knows GNU sparse files of the oldest form only. Where archives
//! are ambiguous the answer is that of Go's `archive/tar`, which Docker and containerd read layers with, or an error;
//! never a third reading (the class of CVE-2025-62518).

mod entry;
mod header;
mod pax;
mod reader;
mod sparse;
mod writer;

pub(crate) use entry::{Device, Entry, Kind, Timestamp};
pub(crate) use reader::Reader;
pub(crate) use sparse::SparseMap;
pub(crate) use writer::Writer;

use std::io;

/// Largest extended header, long name or sparse map held in memory, in bytes (1 MiB, as Go's `archive/tar` allows).
const LONGEST_EXTENSION: u64 = 1 << 20;

/// Size of a tar block in bytes (POSIX.1-2017 pax, "ustar Interchange Format").
pub(crate) const BLOCK: usize = 512;

/// Why an archive cannot be read on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TarError {
    /// The archive ends inside an entry, or the stream that carries it failed.
    #[error("read the archive at byte {offset}")]
    Read {
        /// Bytes read before.
        offset: u64,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The archive is not well formed.
    #[error("archive is malformed at byte {offset}: {what}")]
    Malformed {
        /// Bytes read before the header or record that is wrong.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
}
