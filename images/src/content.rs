//! Bytes that are on this host already: a stretch of a file, read by position, so that several may read at once.
//!
//! Runs in the shell command's process.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

use crate::digest::Digest;
use crate::layer::{Compression, Source};

/// Size of the pieces a file is read in, in bytes.
const PIECE: usize = 256 * 1024;

/// A stretch of a file.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    file: Arc<File>,
    offset: u64,
    length: u64,
}

impl Content {
    /// Takes a whole file.
    pub(crate) fn whole(file: File) -> io::Result<Content> {
        let length = file.metadata()?.len();
        Ok(Content { file: Arc::new(file), offset: 0, length })
    }

    /// Takes `length` bytes of a file from `offset` on.
    pub(crate) fn new(file: Arc<File>, offset: u64, length: u64) -> Content {
        Content { file, offset, length }
    }

    /// Returns `length` bytes of it from `offset` on.
    pub(crate) fn slice(&self, offset: u64, length: u64) -> Content {
        Content { file: Arc::clone(&self.file), offset: self.offset + offset, length }
    }

    /// Returns its length in bytes.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Returns the file if the content is all of it.
    pub(crate) fn file(&self) -> io::Result<Option<&File>> {
        let is_whole = self.offset == 0 && self.file.metadata()?.len() == self.length;
        Ok(is_whole.then_some(&*self.file))
    }

    /// Returns a reader from the beginning.
    pub(crate) fn reader(&self) -> ContentReader {
        ContentReader { content: self.clone(), position: 0 }
    }

    /// Reads all of it; `None` if it is longer than `limit` bytes.
    pub(crate) fn bytes(&self, limit: u64) -> io::Result<Option<Vec<u8>>> {
        if self.length > limit {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        self.reader().read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// Returns its digest.
    pub(crate) fn digest(&self) -> io::Result<Digest> {
        digest_of(self.reader())
    }

    /// Tells by the first bytes how it is compressed.
    ///
    /// # Errors
    /// `Unsupported`, with the compression's name, for one that layers cannot have.
    pub(crate) fn compression(&self) -> io::Result<Compression> {
        let mut start = Vec::new();
        self.reader().take(Compression::LONGEST_MAGIC as u64).read_to_end(&mut start)?;
        Compression::sniff(&start)
    }

    /// Returns the digest of what it is when it is not compressed.
    pub(crate) fn plain_digest(&self, compression: Compression) -> io::Result<Digest> {
        digest_of(compression.bounded_reader(BufReader::with_capacity(PIECE, self.reader()), self.length)?)
    }
}

/// Copies everything from `reader` to `out`, in pieces that are worth a system call.
pub(crate) fn copy(reader: &mut impl Read, out: &mut impl Write) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        match reader.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(length) => out.write_all(&piece[..length])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Compresses what is written into a file, and hashes both.
pub(crate) struct Gzip {
    out: Hashing<GzEncoder<BufWriter<Hashing<File>>>>,
}

/// What a [`Gzip`] has made.
pub(crate) struct Compressed {
    pub(crate) content: Content,
    /// Its digest.
    pub(crate) digest: Digest,
    /// The digest of what was written.
    pub(crate) plain: Digest,
}

impl Gzip {
    /// Compresses into an empty file.
    pub(crate) fn new(file: File) -> Gzip {
        let file = BufWriter::with_capacity(PIECE, Hashing::new(file));
        // The lowest level: a layer is written once and read by few, and the disk is not what is slow.
        Gzip { out: Hashing::new(GzEncoder::new(file, flate2::Compression::fast())) }
    }

    /// Ends the stream.
    pub(crate) fn finish(self) -> io::Result<Compressed> {
        let (encoder, plain) = self.out.finish();
        let (file, digest) = encoder.finish()?.into_inner().map_err(io::Error::from)?.finish();
        Ok(Compressed { content: Content::whole(file)?, digest, plain })
    }
}

impl Write for Gzip {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Hashes what is written through it.
struct Hashing<W> {
    out: W,
    hasher: Sha256,
}

impl<W> Hashing<W> {
    fn new(out: W) -> Hashing<W> {
        Hashing { out, hasher: Sha256::new() }
    }

    fn finish(self) -> (W, Digest) {
        (self.out, Digest::finish(self.hasher))
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn digest_of(mut reader: impl Read) -> io::Result<Digest> {
    let mut hasher = Sha256::new();
    let mut piece = vec![0; PIECE];
    loop {
        match reader.read(&mut piece)? {
            0 => return Ok(Digest::finish(hasher)),
            length => hasher.update(&piece[..length]),
        }
    }
}

/// Reads a [`Content`].
#[derive(Debug)]
pub(crate) struct ContentReader {
    content: Content,
    position: u64,
}

impl Read for ContentReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.content.length - self.position).unwrap_or(usize::MAX);
        let length = left.min(buffer.len());
        let read = self.content.file.read_at(&mut buffer[..length], self.content.offset + self.position)?;
        self.position += read as u64;
        if read == 0 && length > 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(read) }
    }
}

impl Source for ContentReader {
    type Error = io::Error;

    fn next(&mut self) -> io::Result<Option<Bytes>> {
        let mut piece = Vec::with_capacity(PIECE);
        self.take(PIECE as u64).read_to_end(&mut piece)?;
        Ok((!piece.is_empty()).then(|| Bytes::from(piece)))
    }
}
