//! Files with holes: which stretch of the file each piece of the content belongs to.
//!
//! Runs in the shell command's process, in a layer's extracting thread; pure. GNU tar manual, "Storing Sparse Files".

use tar::{GnuExtSparseHeader, GnuHeader, GnuSparseHeader};

use super::header::number;
use super::pax::decimal;

/// Most pieces a sparse file may have; 2¹⁶ of them take 1 MiB of memory.
const MOST_PIECES: usize = 1 << 16;

/// The pieces of a sparse file, in order, none overlapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SparseMap {
    /// Size of the file, holes included, in bytes.
    pub(crate) size: u64,
    /// Offset in the file and length of each piece of content, in bytes.
    pub(crate) pieces: Vec<(u64, u64)>,
}

impl SparseMap {
    /// Checks `pieces` against the file's `size` and the `stored` bytes of content in the archive.
    pub(super) fn new(size: u64, pieces: Vec<(u64, u64)>, stored: u64) -> Result<SparseMap, &'static str> {
        let (mut end, mut sum) = (0u64, 0u64);
        for (offset, length) in &pieces {
            if *offset < end {
                return Err("sparse map overlaps itself");
            }
            end = offset.checked_add(*length).ok_or("sparse map is out of range")?;
            sum += length;
        }
        if end > size || i64::try_from(size).is_err() {
            return Err("sparse map is out of range");
        }
        if sum != stored {
            return Err("sparse map does not account for the content");
        }
        Ok(SparseMap { size, pieces })
    }
}

/// Pairs up offsets and lengths.
pub(super) fn pair(numbers: &[u64]) -> Result<Vec<(u64, u64)>, &'static str> {
    if !numbers.len().is_multiple_of(2) {
        return Err("sparse map is malformed");
    }
    if numbers.len() / 2 > MOST_PIECES {
        return Err("sparse map is too long");
    }
    Ok(numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect())
}

/// Adds the pieces named in the header of the oldest GNU form; the answer tells whether a block with more follows.
pub(super) fn push_gnu_header(pieces: &mut Vec<(u64, u64)>, header: &GnuHeader) -> Result<bool, &'static str> {
    push_pieces(pieces, &header.sparse)?;
    Ok(header.isextended[0] != 0)
}

/// Adds the pieces of a continuation block; the answer tells whether another follows.
pub(super) fn push_gnu_extension(
    pieces: &mut Vec<(u64, u64)>,
    block: &GnuExtSparseHeader,
) -> Result<bool, &'static str> {
    push_pieces(pieces, block.sparse())?;
    if pieces.len() > MOST_PIECES { Err("sparse map is too long") } else { Ok(block.isextended[0] != 0) }
}

/// Returns the size with holes that the oldest GNU form keeps in its header.
pub(super) fn gnu_real_size(header: &GnuHeader) -> Result<u64, &'static str> {
    field(&header.realsize)
}

fn push_pieces(pieces: &mut Vec<(u64, u64)>, slots: &[GnuSparseHeader]) -> Result<(), &'static str> {
    for slot in slots.iter().take_while(|slot| slot.offset[0] != 0) {
        pieces.push((field(&slot.offset)?, field(&slot.numbytes)?));
    }
    Ok(())
}

fn field(field: &[u8]) -> Result<u64, &'static str> {
    const OUT_OF_RANGE: &str = "sparse map is out of range";
    number(field, OUT_OF_RANGE).and_then(|value| u64::try_from(value).map_err(|_| OUT_OF_RANGE))
}

/// The map of version 1.0, which stands at the head of the content: decimal lines, the number of pieces first.
#[derive(Default)]
pub(super) struct InlineMap {
    /// The line being read.
    line: Vec<u8>,
    /// The numbers so far; the first counts the pieces.
    numbers: Vec<u64>,
}

impl InlineMap {
    /// Takes the next block; the answer tells whether the map is complete (the rest of the block is padding).
    pub(super) fn feed(&mut self, block: &[u8]) -> Result<bool, &'static str> {
        for byte in block {
            if *byte != b'\n' {
                self.line.push(*byte);
                continue;
            }
            self.numbers.push(decimal(&self.line).ok_or("sparse map is malformed")?);
            self.line.clear();
            if self.numbers[0] > MOST_PIECES as u64 {
                return Err("sparse map is too long");
            }
            if self.numbers.len() as u64 == 1 + 2 * self.numbers[0] {
                return Ok(true);
            }
        }
        if self.line.len() > 20 { Err("sparse map is malformed") } else { Ok(false) }
    }

    /// Returns the pieces.
    pub(super) fn pieces(&self) -> Result<Vec<(u64, u64)>, &'static str> {
        pair(self.numbers.get(1..).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_must_ascend_and_account_for_every_byte() {
        assert!(SparseMap::new(10, vec![(0, 2), (4, 2), (10, 0)], 4).is_ok());
        assert!(SparseMap::new(10, vec![(4, 2), (0, 2)], 4).is_err());
        assert!(SparseMap::new(10, vec![(0, 2), (1, 2)], 4).is_err());
        assert!(SparseMap::new(5, vec![(4, 2)], 2).is_err());
        assert!(SparseMap::new(10, vec![(0, 2)], 3).is_err());
        assert!(SparseMap::new(u64::MAX, vec![], 0).is_err());
        assert!(SparseMap::new(u64::MAX, vec![(u64::MAX, u64::MAX)], 0).is_err());
    }

    #[test]
    fn an_inline_map_may_cross_blocks() {
        let mut map = InlineMap::default();
        assert_eq!(map.feed(b"2\n0\n51"), Ok(false));
        assert_eq!(map.feed(b"2\n4096\n10\n\0\0\0"), Ok(true));
        assert_eq!(map.pieces(), Ok(vec![(0, 512), (4096, 10)]));
        assert!(InlineMap::default().feed(b"99999999\n").is_err());
        assert!(InlineMap::default().feed(&[b'1'; 512]).is_err());
    }
}
