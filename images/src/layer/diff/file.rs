//! The content of one file, as long as its entry says, with its holes where they save much.
//!
//! Runs in the shell command's process. Layers "SHOULD NOT" have files in a form of their own for holes (OCI image-spec,
//! layer.md), so only those do that would otherwise be mostly zeros.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

use nix::errno::Errno;
use nix::sys::stat::FileStat;
use nix::unistd::{Whence, lseek};

use super::super::tar::SparseMap;
use super::DiffError;

/// Holes below this many bytes in all are written as zeros: compressed, a mebibyte of them is a kilobyte.
const FEWEST_SAVED: u64 = 1 << 20;

/// Most pieces of a file with holes; one that has more is written whole.
const MOST_PIECES: usize = 1 << 15;

/// Size of the pieces a file is read in, in bytes.
const PIECE: usize = 256 * 1024;

/// An open regular file and what of it is to be written.
pub(super) struct Content {
    file: File,
    size: u64,
    /// Where its data are, if not everywhere.
    pieces: Option<Vec<(u64, u64)>>,
}

impl Content {
    /// Takes an open file.
    pub(super) fn of(file: File, stat: &FileStat) -> io::Result<Content> {
        let size = stat.st_size as u64;
        let allocated = stat.st_blocks as u64 * 512;
        let is_hollow = size.saturating_sub(allocated) >= FEWEST_SAVED && allocated < size / 2;
        let pieces = if is_hollow { pieces(&file, size)? } else { None };
        Ok(Content { file, size, pieces })
    }

    /// Returns how many bytes will be written.
    pub(super) fn stored(&self) -> u64 {
        self.pieces.as_ref().map_or(self.size, |pieces| pieces.iter().map(|(_, length)| length).sum())
    }

    /// Returns the map of a file with holes.
    pub(super) fn sparse(&self) -> Option<SparseMap> {
        self.pieces.as_ref().map(|pieces| SparseMap { size: self.size, pieces: pieces.clone() })
    }

    /// Writes the content; `failed` names the file in an error.
    pub(super) fn copy(&self, out: &mut impl Write, failed: impl Fn(io::Error) -> DiffError) -> Result<(), DiffError> {
        let whole = [(0, self.size)];
        let mut buffer = vec![0; PIECE.min(usize::try_from(self.size).unwrap_or(PIECE))];
        for (offset, length) in self.pieces.as_deref().unwrap_or(&whole) {
            let (mut offset, end) = (*offset, offset + length);
            while offset < end {
                let part = &mut buffer[..PIECE.min(usize::try_from(end - offset).unwrap_or(PIECE))];
                self.file.read_exact_at(part, offset).map_err(|error| failed(shrunk(error)))?;
                out.write_all(part).map_err(DiffError::Write)?;
                offset += part.len() as u64;
            }
        }
        Ok(())
    }
}

/// "Unexpected end of file" would not say what happened.
fn shrunk(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => io::Error::other("it became shorter while it was read"),
        _ => error,
    }
}

/// Lists where a file has data (lseek(2), `SEEK_DATA`); `None` if it is in too many pieces.
fn pieces(file: &File, size: u64) -> io::Result<Option<Vec<(u64, u64)>>> {
    let seek = |offset: u64, whence| match lseek(file, i64::try_from(offset).unwrap_or(i64::MAX), whence) {
        Ok(offset) => Ok(Some(offset as u64)),
        // Nothing but a hole from there on.
        Err(Errno::ENXIO) => Ok(None),
        Err(errno) => Err(io::Error::from(errno)),
    };
    let (mut pieces, mut end) = (Vec::new(), 0);
    while let Some(begin) = seek(end, Whence::SeekData)?.filter(|begin| *begin < size) {
        end = seek(begin, Whence::SeekHole)?.unwrap_or(size).min(size);
        pieces.push((begin, end - begin));
        if pieces.len() >= MOST_PIECES {
            return Ok(None);
        }
    }
    if end < size {
        // A last piece of nothing tells readers how long the file is.
        pieces.push((size, 0));
    }
    Ok(Some(pieces))
}
