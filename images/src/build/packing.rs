//! How an archive is compressed that becomes a context, or that ADD unpacks: what layers may have, and what else tar(1) reads.
//!
//! Runs in the shell command's process, in a stage's thread.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek, SeekFrom};

use bzip2::bufread::MultiBzDecoder;
use lzma_rust2::XzReader;

use crate::layer::Compression;

/// Bytes of a file that say whether it is an archive.
const LONGEST_START: u64 = 1024;

/// Most memory that unpacking xz may take, in KiB: twice what `xz -9` asks for (xz(1), "Memory usage": 65 MiB).
const LARGEST_XZ: u32 = 130 * 1024;

/// The compression of an archive that is no layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    /// One that layers have as well.
    Layer(Compression),
    /// xz, of any number of streams.
    Xz,
    /// bzip2, of any number of streams.
    Bzip2,
}

impl Packing {
    /// Returns how an archive is compressed; `None` if the file is no archive. The file is read from its beginning
    /// afterwards.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn of(file: &mut File) -> io::Result<Option<Packing>> {
        let mut start = Vec::new();
        file.take(LONGEST_START).read_to_end(&mut start)?;
        file.seek(SeekFrom::Start(0))?;
        let Some(packing) = Packing::sniff(&start) else { return Ok(None) };
        let mut block = Vec::new();
        let plain = packing.reader(BufReader::new(Cursor::new(start)))?;
        // What was cut off gives an error after the block that is wanted, and what is nothing of the kind one before.
        let _ = plain.take(LONGEST_START / 2).read_to_end(&mut block);
        if block.len() < 512 && packing != Packing::Layer(Compression::None) {
            // The beginning of a compressed file may hold less than a block: look at more of it.
            block.clear();
            let _ = packing.reader(BufReader::new(&*file))?.take(LONGEST_START / 2).read_to_end(&mut block);
            file.seek(SeekFrom::Start(0))?;
        }
        Ok(is_tar_header(&block).then_some(packing))
    }

    /// Tells the compression by a file's first bytes; `None` for what is no archive to ADD: zip and lz4 are copied.
    fn sniff(start: &[u8]) -> Option<Packing> {
        match start {
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Packing::Xz),
            [b'B', b'Z', b'h', ..] => Some(Packing::Bzip2),
            start => Compression::sniff(&start[..start.len().min(Compression::LONGEST_MAGIC)]).ok().map(Packing::Layer),
        }
    }

    /// Returns a reader of the plain archive.
    ///
    /// # Errors
    /// The decoder could not be made.
    pub(crate) fn reader<'a>(self, packed: impl BufRead + 'a) -> io::Result<Box<dyn Read + 'a>> {
        Ok(match self {
            Packing::Layer(compression) => compression.reader(packed)?,
            Packing::Xz => Box::new(XzReader::new_mem_limit(packed, true, LARGEST_XZ)),
            Packing::Bzip2 => Box::new(MultiBzDecoder::new(packed)),
        })
    }
}

/// Tells a tar header by its checksum (POSIX.1-2017 pax, "ustar Interchange Format": the field itself counts as blanks).
fn is_tar_header(block: &[u8]) -> bool {
    if block.len() < 512 || block[..512].iter().all(|byte| *byte == 0) {
        return false;
    }
    let text = String::from_utf8_lossy(&block[148..156]);
    let field = text.trim_matches(['\0', ' ']);
    let sum: u32 = block[..512]
        .iter()
        .enumerate()
        .map(|(at, byte)| u32::from(if (148..156).contains(&at) { b' ' } else { *byte }))
        .sum();
    u32::from_str_radix(field, 8).is_ok_and(|own| own == sum)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    /// How `printf 'a\n' | xz --check=crc32` begins: its header, and that of the first block.
    const XZ: &[u8] = b"\xfd7zXZ\0\0\x01i\x22\xde6\x02\0!\x01\x16\0\0\0t/\xe5\xa3";

    fn packing(content: &[u8]) -> Option<Packing> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        Packing::of(&mut file).unwrap()
    }

    #[test]
    fn an_archive_is_told_by_its_header_whatever_it_is_called() {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(1);
        header.set_cksum();
        builder.append_data(&mut header, "a", &b"x"[..]).unwrap();
        let plain = builder.into_inner().unwrap();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&plain).unwrap();
        let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        bzip2.write_all(&plain).unwrap();
        let table = [
            (plain, Some(Packing::Layer(Compression::None))),
            (gzip.finish().unwrap(), Some(Packing::Layer(Compression::Gzip))),
            (bzip2.finish().unwrap(), Some(Packing::Bzip2)),
            (b"#!/bin/sh\n".to_vec(), None),
            (vec![0; 1024], None),
            (Vec::new(), None),
            (b"PK\x03\x04".to_vec(), None),
            (b"\xfd7zXZ\0....".to_vec(), None),
            (b"BZh9....".to_vec(), None),
        ];
        for (content, expected) in table {
            assert_eq!(packing(&content), expected);
        }
    }

    proptest! {
        #[test]
        fn what_begins_like_xz_or_bzip2_and_goes_on_as_it_likes_is_no_archive(rest in proptest::collection::vec(any::<u8>(), 0..2000)) {
            for start in [XZ, &XZ[..12], b"BZh91AY&SY", b"BZh9"] {
                prop_assert_eq!(packing(&[start, &rest].concat()), None);
            }
        }
    }
}
