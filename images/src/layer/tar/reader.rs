//! Walks an archive from entry to entry.
//!
//! Runs in the shell command's process, in a layer's extracting thread. Between two calls of [`Reader::next`] the caller
//! reads the content with [`Reader::chunk`]; what it leaves is skipped.

use std::io::{self, BufRead};
use std::mem;

use tar::{EntryType, GnuExtSparseHeader, Header};

use super::entry::{Device, Entry, Kind};
use super::header::{self, Fields};
use super::pax::{self, Extension};
use super::sparse::{self, InlineMap, SparseMap};
use super::{BLOCK, LONGEST_EXTENSION, TarError};

/// Reads entries from a stream.
pub(crate) struct Reader<R> {
    input: R,
    /// Bytes of the archive read so far.
    offset: u64,
    /// Bytes of the current entry's content not read yet.
    remaining: u64,
    /// Bytes between the end of the content and the next block.
    padding: u64,
}

/// What extended headers said about the entry that comes next.
#[derive(Default)]
struct Pending {
    pax: Option<Extension>,
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

/// What says where the content of a regular file goes.
struct Content<'a> {
    /// Bytes of content in the archive.
    stored: u64,
    entry_type: EntryType,
    /// The header itself, for the oldest GNU form of sparse files.
    block: &'a [u8; BLOCK],
    /// The records, for the PAX forms.
    records: pax::SparseRecords,
}

impl<R: BufRead> Reader<R> {
    /// Starts at the beginning of an archive.
    pub(crate) fn new(input: R) -> Reader<R> {
        Reader { input, offset: 0, remaining: 0, padding: 0 }
    }

    /// Returns the next entry, or `None` at the end of the archive.
    pub(crate) fn next(&mut self) -> Result<Option<Entry>, TarError> {
        self.skip_content()?;
        let mut pending = Pending::default();
        while let Some(block) = self.header_block()? {
            let fields = header::decode(&block).map_err(|what| self.malformed(what))?;
            if let Some(entry) = self.entry(fields, &block, &mut pending)? {
                return Ok(Some(entry));
            }
        }
        if pending.pax.is_some() || pending.path.is_some() || pending.link.is_some() {
            return Err(self.malformed("extended header describes no entry"));
        }
        Ok(None)
    }

    /// Returns the next piece of the current entry's content, empty at its end; [`Reader::consume`] moves on.
    pub(crate) fn chunk(&mut self) -> Result<&[u8], TarError> {
        if self.remaining == 0 {
            return Ok(&[]);
        }
        let offset = self.offset;
        let chunk = fill(&mut self.input).map_err(|source| TarError::Read { offset, source })?;
        let length = chunk.len().min(usize::try_from(self.remaining).unwrap_or(usize::MAX));
        Ok(&chunk[..length])
    }

    /// Marks `length` bytes of the last chunk as read.
    pub(crate) fn consume(&mut self, length: usize) {
        self.input.consume(length);
        self.offset += length as u64;
        self.remaining -= length as u64;
    }

    /// Returns how many bytes of the archive have been read: after [`Reader::next`], where the entry's content begins.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Gives the stream back, behind the archive's end if [`Reader::next`] said so.
    pub(crate) fn into_inner(self) -> R {
        self.input
    }

    /// Takes one header; extended ones are kept in `pending`, any other becomes an entry.
    fn entry(&mut self, fields: Fields, block: &[u8; BLOCK], pending: &mut Pending) -> Result<Option<Entry>, TarError> {
        match fields.entry_type {
            EntryType::XGlobalHeader => self.extension(fields.size).map(|_| None),
            EntryType::XHeader => {
                let records = self.extension(fields.size)?;
                let extension = pax::parse(&records).map_err(|what| self.malformed(what))?;
                self.keep_once(&mut pending.pax, extension).map(|()| None)
            }
            EntryType::GNULongName => {
                let name = self.long_name(fields.size)?;
                self.keep_once(&mut pending.path, name).map(|()| None)
            }
            EntryType::GNULongLink => {
                let name = self.long_name(fields.size)?;
                self.keep_once(&mut pending.link, name).map(|()| None)
            }
            _ => self.merge(fields, block, mem::take(pending)).map(Some),
        }
    }

    /// Two extended headers of one kind for one entry: readers disagree about which one counts, so neither does.
    fn keep_once<T>(&self, slot: &mut Option<T>, value: T) -> Result<(), TarError> {
        match slot.replace(value) {
            None => Ok(()),
            Some(_) => Err(self.malformed("entry has two extended headers of one kind")),
        }
    }

    /// Joins a header with what extended headers said, in the order in which Go does: PAX, then GNU names.
    fn merge(&mut self, fields: Fields, block: &[u8; BLOCK], pending: Pending) -> Result<Entry, TarError> {
        let pax = pending.pax.unwrap_or_default();
        let stored = pax.size.unwrap_or(fields.size);
        let path = pending.path.or(pax.path).unwrap_or(fields.path);
        let kind = self.kind(fields.entry_type, &path, fields.device)?;
        let mut entry = Entry {
            path,
            link: pending.link.or(pax.link).unwrap_or(fields.link),
            kind,
            mode: fields.mode,
            uid: self.owner(pax.uid.unwrap_or(fields.uid))?,
            gid: self.owner(pax.gid.unwrap_or(fields.gid))?,
            mtime: pax.mtime.unwrap_or(fields.mtime),
            size: 0,
            sparse: None,
            xattrs: pax.xattrs.into_iter().collect(),
        };
        match kind {
            Kind::Regular => {
                let content = Content { stored, entry_type: fields.entry_type, block, records: pax.sparse };
                self.begin_content(&mut entry, content)?;
            }
            // The V7 form marks a directory by a trailing slash alone; content there would be read in two ways.
            Kind::Directory if fields.entry_type != EntryType::Directory && stored != 0 => {
                return Err(self.malformed("directory has content"));
            }
            // Only regular files have content: for the rest a size is a leftover (Go, isHeaderOnly).
            _ => {}
        }
        Ok(entry)
    }

    fn kind(&self, entry_type: EntryType, path: &[u8], device: Device) -> Result<Kind, TarError> {
        Ok(match entry_type {
            EntryType::Regular | EntryType::Continuous if path.ends_with(b"/") => Kind::Directory,
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => Kind::Regular,
            EntryType::Directory => Kind::Directory,
            EntryType::Symlink => Kind::Symlink,
            EntryType::Link => Kind::HardLink,
            EntryType::Char => Kind::CharDevice(device),
            EntryType::Block => Kind::BlockDevice(device),
            EntryType::Fifo => Kind::Fifo,
            _ => return Err(self.malformed("entry has an unknown type")),
        })
    }

    /// Ids above 2³²-2 exist nowhere in Linux; 2³²-1 means "leave it as it is" to chown(2).
    fn owner(&self, id: u64) -> Result<u32, TarError> {
        u32::try_from(id).ok().filter(|id| *id != u32::MAX).ok_or_else(|| self.malformed("owner is out of range"))
    }

    fn begin_content(&mut self, entry: &mut Entry, content: Content<'_>) -> Result<(), TarError> {
        let Content { stored, entry_type, block, records } = content;
        if i64::try_from(stored).is_err() {
            return Err(self.malformed("size is out of range"));
        }
        let gnu_pieces = match (entry_type, Header::from_byte_slice(block).as_gnu()) {
            (EntryType::GNUSparse, Some(header)) => Some((self.gnu_pieces(header)?, header)),
            (EntryType::GNUSparse, None) => return Err(self.malformed("sparse file is not of the GNU form")),
            _ => None,
        };
        (self.remaining, self.padding) = (stored, stored.wrapping_neg() % BLOCK as u64);
        entry.sparse = match gnu_pieces {
            Some((pieces, header)) => {
                let size = self.check(sparse::gnu_real_size(header))?;
                Some(self.check(SparseMap::new(size, pieces, stored))?)
            }
            None => self.pax_sparse(entry, stored, records)?,
        };
        entry.size = self.remaining;
        Ok(())
    }

    /// Collects the pieces of the oldest GNU form; its continuation blocks stand between header and content.
    fn gnu_pieces(&mut self, header: &tar::GnuHeader) -> Result<Vec<(u64, u64)>, TarError> {
        let mut pieces = Vec::new();
        let mut has_more = self.check(sparse::push_gnu_header(&mut pieces, header))?;
        while has_more {
            let mut extension = GnuExtSparseHeader::new();
            self.read_exact(extension.as_mut_bytes())?;
            has_more = self.check(sparse::push_gnu_extension(&mut pieces, &extension))?;
        }
        Ok(pieces)
    }

    /// Finds the map of the PAX forms: in the records (0.0, 0.1) or at the head of the content (1.0).
    fn pax_sparse(
        &mut self,
        entry: &mut Entry,
        stored: u64,
        records: pax::SparseRecords,
    ) -> Result<Option<SparseMap>, TarError> {
        let is_inline = (records.major, records.minor) == (Some(1), Some(0));
        if !is_inline && records.map.is_empty() {
            return Ok(None);
        }
        let pieces = if is_inline { self.inline_pieces()? } else { self.check(sparse::pair(&records.map))? };
        if let Some(name) = records.name {
            entry.path = name;
        }
        let size = self.check(records.size.ok_or("sparse file has no size"))?;
        debug_assert!(self.remaining <= stored);
        self.check(SparseMap::new(size, pieces, self.remaining)).map(Some)
    }

    fn inline_pieces(&mut self) -> Result<Vec<(u64, u64)>, TarError> {
        let mut map = InlineMap::default();
        loop {
            if self.remaining < BLOCK as u64 {
                return Err(self.malformed("sparse map is longer than the content"));
            }
            let mut block = [0; BLOCK];
            self.read_exact(&mut block)?;
            self.remaining -= BLOCK as u64;
            if self.check(map.feed(&block))? {
                return self.check(map.pieces());
            }
        }
    }

    fn long_name(&mut self, size: u64) -> Result<Vec<u8>, TarError> {
        let mut name = self.extension(size)?;
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
        name.truncate(end);
        if name.is_empty() { Err(self.malformed("long name is empty")) } else { Ok(name) }
    }

    /// Reads the content of an extended header into memory, up to [`LONGEST_EXTENSION`].
    fn extension(&mut self, size: u64) -> Result<Vec<u8>, TarError> {
        if size > LONGEST_EXTENSION {
            return Err(self.malformed("extended header is longer than 1 MiB"));
        }
        let mut content = vec![0; size.next_multiple_of(BLOCK as u64) as usize];
        self.read_exact(&mut content)?;
        content.truncate(size as usize);
        Ok(content)
    }

    /// Returns the next header; `None` at two blocks of zeros or where the stream ends between two blocks.
    fn header_block(&mut self) -> Result<Option<[u8; BLOCK]>, TarError> {
        let Some(block) = self.block_or_end()? else { return Ok(None) };
        if block != [0; BLOCK] {
            return Ok(Some(block));
        }
        match self.block_or_end()? {
            Some(second) if second != [0; BLOCK] => Err(self.malformed("a single block of zeros is followed by more")),
            _ => Ok(None),
        }
    }

    fn block_or_end(&mut self) -> Result<Option<[u8; BLOCK]>, TarError> {
        let offset = self.offset;
        if self.input.fill_buf().map_err(|source| TarError::Read { offset, source })?.is_empty() {
            return Ok(None);
        }
        let mut block = [0; BLOCK];
        self.read_exact(&mut block)?;
        Ok(Some(block))
    }

    fn skip_content(&mut self) -> Result<(), TarError> {
        let mut left = self.remaining + self.padding;
        while left > 0 {
            let offset = self.offset;
            let chunk = fill(&mut self.input).map_err(|source| TarError::Read { offset, source })?;
            let length = chunk.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            self.input.consume(length);
            self.offset += length as u64;
            left -= length as u64;
        }
        (self.remaining, self.padding) = (0, 0);
        Ok(())
    }

    fn read_exact(&mut self, buffer: &mut [u8]) -> Result<(), TarError> {
        let offset = self.offset;
        self.input.read_exact(buffer).map_err(|source| TarError::Read { offset, source })?;
        self.offset += buffer.len() as u64;
        Ok(())
    }

    fn check<T>(&self, result: Result<T, &'static str>) -> Result<T, TarError> {
        result.map_err(|what| self.malformed(what))
    }

    fn malformed(&self, what: &'static str) -> TarError {
        TarError::Malformed { offset: self.offset, what }
    }
}

/// Returns at least one byte of `input`, or an error at its end.
fn fill<R: BufRead>(input: &mut R) -> io::Result<&[u8]> {
    let chunk = input.fill_buf()?;
    if chunk.is_empty() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(chunk) }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
