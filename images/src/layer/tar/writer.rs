//! Writes archives: ustar headers, with PAX records for whatever does not fit.
//!
//! Runs in the shell command's process. The same entries give the same bytes: nothing of the clock, the host or the
//! process gets in. POSIX.1-2017 pax, "ustar Interchange Format"; files with holes in GNU tar's PAX form 1.0, which Go's
//! `archive/tar`, GNU tar, libarchive and Python read.

use std::io::{self, Write};

use tar::{EntryType, Header};

use super::BLOCK;
use super::entry::{Entry, Kind};

/// Longest name or link target of a ustar header in bytes.
const LONGEST_NAME: usize = 100;

/// Largest owner or group of a header's seven octal digits.
const LARGEST_ID: u32 = 0o7_777_777;

/// Largest size or time of a header's eleven octal digits.
const LARGEST_NUMBER: u64 = 0o77_777_777_777;

/// Writes entries to a stream; content follows each entry through [`Write`].
pub(crate) struct Writer<W> {
    out: W,
    /// Bytes of the current entry's content still to come.
    left: u64,
    /// Bytes between that content's end and the next block.
    padding: usize,
}

impl<W: Write> Writer<W> {
    /// Starts an archive.
    pub(crate) fn new(out: W) -> Writer<W> {
        Writer { out, left: 0, padding: 0 }
    }

    /// Writes an entry's headers; `entry.size` bytes of content must follow.
    ///
    /// # Errors
    /// `InvalidInput` if the content of the entry before is not complete.
    pub(crate) fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        self.end_content()?;
        let map = entry.sparse.as_ref().map(|sparse| inline_map(&sparse.pieces)).unwrap_or_default();
        let stored = map.len() as u64 + entry.size;
        let records = records(entry, stored);
        if !records.is_empty() {
            let name = [b"PaxHeaders.0/", last_component(&entry.path)].concat();
            self.out.write_all(block(&name, EntryType::XHeader, records.len() as u64)?.as_bytes())?;
            self.out.write_all(&records)?;
            self.pad(records.len() as u64)?;
        }
        let path: &[u8] = if entry.sparse.is_some() { b"GNUSparseFile.0/file" } else { &entry.path };
        let mut header = block(path, entry_type(entry.kind), stored)?;
        describe(&mut header, entry)?;
        self.out.write_all(header.as_bytes())?;
        self.out.write_all(&map)?;
        (self.left, self.padding) = (entry.size, padding_of(stored));
        Ok(())
    }

    /// Ends the archive and gives the stream back.
    ///
    /// # Errors
    /// As [`Writer::entry`].
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.end_content()?;
        self.out.write_all(&[0; 2 * BLOCK])?;
        Ok(self.out)
    }

    fn end_content(&mut self) -> io::Result<()> {
        if self.left > 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "an entry has less content than its header says"));
        }
        self.out.write_all(&[0; BLOCK][..self.padding])?;
        self.padding = 0;
        Ok(())
    }

    fn pad(&mut self, length: u64) -> io::Result<()> {
        self.out.write_all(&[0; BLOCK][..padding_of(length)])
    }
}

impl<W: Write> Write for Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if length == 0 && !bytes.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "an entry has more content than its header says"));
        }
        let written = self.out.write(&bytes[..length])?;
        self.left -= written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn padding_of(length: u64) -> usize {
    (length.wrapping_neg() % BLOCK as u64) as usize
}

/// Makes a header with a name, a type and a size, and nothing else yet; what is too large stands in a record.
fn block(name: &[u8], entry_type: EntryType, size: u64) -> io::Result<Header> {
    let mut header = Header::new_ustar();
    put(&mut header, 0, name);
    header.set_entry_type(entry_type);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(if size > LARGEST_NUMBER { 0 } else { size });
    header.set_device_major(0)?;
    header.set_device_minor(0)?;
    header.set_cksum();
    Ok(header)
}

/// Puts the first bytes of a text into a field of [`LONGEST_NAME`] bytes.
fn put(header: &mut Header, offset: usize, text: &[u8]) {
    let length = text.len().min(LONGEST_NAME);
    header.as_mut_bytes()[offset..offset + length].copy_from_slice(&text[..length]);
}

fn describe(header: &mut Header, entry: &Entry) -> io::Result<()> {
    /// Where a header has the target of a link.
    const LINK: usize = 157;
    header.set_mode(entry.mode);
    header.set_uid(u64::from(if entry.uid > LARGEST_ID { 0 } else { entry.uid }));
    header.set_gid(u64::from(if entry.gid > LARGEST_ID { 0 } else { entry.gid }));
    header.set_mtime(u64::try_from(entry.mtime.seconds).ok().filter(|time| *time <= LARGEST_NUMBER).unwrap_or(0));
    put(header, LINK, &entry.link);
    if let Kind::CharDevice(device) | Kind::BlockDevice(device) = entry.kind {
        header.set_device_major(device.major)?;
        header.set_device_minor(device.minor)?;
    }
    header.set_cksum();
    Ok(())
}

fn entry_type(kind: Kind) -> EntryType {
    match kind {
        Kind::Regular => EntryType::Regular,
        Kind::Directory => EntryType::Directory,
        Kind::Symlink => EntryType::Symlink,
        Kind::HardLink => EntryType::Link,
        Kind::CharDevice(_) => EntryType::Char,
        Kind::BlockDevice(_) => EntryType::Block,
        Kind::Fifo => EntryType::Fifo,
    }
}

/// Returns the records for what the header cannot say, in the order of their keys.
fn records(entry: &Entry, stored: u64) -> Vec<u8> {
    let mut records = Vec::new();
    let mut push = |key: &[u8], value: &[u8]| records.extend(record(key, value));
    if let Some(sparse) = &entry.sparse {
        push(b"GNU.sparse.major", b"1");
        push(b"GNU.sparse.minor", b"0");
        push(b"GNU.sparse.name", &entry.path);
        push(b"GNU.sparse.realsize", sparse.size.to_string().as_bytes());
    }
    for (name, value) in &entry.xattrs {
        push(&[b"SCHILY.xattr.", name.as_slice()].concat(), value);
    }
    if entry.gid > LARGEST_ID {
        push(b"gid", entry.gid.to_string().as_bytes());
    }
    if entry.link.len() > LONGEST_NAME {
        push(b"linkpath", &entry.link);
    }
    if entry.mtime.nanoseconds != 0 || !(0..=LARGEST_NUMBER as i64).contains(&entry.mtime.seconds) {
        push(b"mtime", time(entry.mtime.seconds, entry.mtime.nanoseconds).as_bytes());
    }
    if entry.path.len() > LONGEST_NAME && entry.sparse.is_none() {
        push(b"path", &entry.path);
    }
    if stored > LARGEST_NUMBER {
        push(b"size", stored.to_string().as_bytes());
    }
    if entry.uid > LARGEST_ID {
        push(b"uid", entry.uid.to_string().as_bytes());
    }
    records
}

/// Makes `LENGTH KEY=VALUE\n`, whose length counts its own digits.
fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let digits = |number: usize| number.to_string().len();
    let mut length = rest + digits(rest);
    if digits(length) != digits(rest) {
        length = rest + digits(length);
    }
    [length.to_string().as_bytes(), b" ", key, b"=", value, b"\n"].concat()
}

/// Writes a time as decimal seconds; before 1970 the fraction counts away from zero, as the whole number is negative.
fn time(seconds: i64, nanoseconds: u32) -> String {
    let nanoseconds = i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds);
    let (sign, value) = (if nanoseconds < 0 { "-" } else { "" }, nanoseconds.unsigned_abs());
    let text = format!("{sign}{}.{:09}", value / 1_000_000_000, value % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Makes the map of form 1.0: the number of pieces, then offset and length of each, padded to a block.
fn inline_map(pieces: &[(u64, u64)]) -> Vec<u8> {
    let mut map = format!("{}\n", pieces.len()).into_bytes();
    for (offset, length) in pieces {
        map.extend(format!("{offset}\n{length}\n").into_bytes());
    }
    map.resize(map.len().next_multiple_of(BLOCK), 0);
    map
}

fn last_component(path: &[u8]) -> &[u8] {
    let path = path.strip_suffix(b"/").unwrap_or(path);
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
