//! `ROOT/images/blobs`: content by its digest, and `ROOT/images/ingest`: blobs on their way there.
//!
//! Runs in the shell command's process. A blob in `ingest` is locked by whoever downloads it; another pull that wants the
//! same one waits for those very bytes. That lock stands outside the store's lock order: nothing else is ever waited for
//! under it but the registry, and it ends with its process. What an interrupted download left is its beginning.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use nix::fcntl::Flock;

use super::error::{Context, StoreError};
use super::files;
use crate::digest::Digest;
use crate::layer::Source;

/// Size of the pieces a file is read and written in, in bytes.
const PIECE: usize = 256 * 1024;

/// The directories of blobs.
#[derive(Debug, Clone)]
pub(crate) struct Blobs {
    images: PathBuf,
}

impl Blobs {
    /// Takes `ROOT/images`.
    pub(super) fn new(images: PathBuf) -> Blobs {
        Blobs { images }
    }

    /// Returns the directory of finished blobs.
    pub(super) fn finished(&self) -> PathBuf {
        self.images.join("blobs").join("sha256")
    }

    /// Returns the directory of unfinished ones.
    pub(super) fn unfinished(&self) -> PathBuf {
        self.images.join("ingest")
    }

    /// Returns where a finished blob is.
    pub(crate) fn path(&self, digest: &Digest) -> PathBuf {
        self.finished().join(digest.hex())
    }

    /// Tells whether a blob of that size is there; its content may yet be damaged.
    pub(crate) fn has(&self, digest: &Digest, size: u64) -> bool {
        fs::symlink_metadata(self.path(digest)).is_ok_and(|metadata| metadata.is_file() && metadata.len() == size)
    }

    /// Reads a small blob and checks it; one that is absent or damaged is `None`.
    pub(crate) fn read(&self, digest: &Digest, limit: u64) -> Option<Vec<u8>> {
        let bytes = files::read(&self.path(digest), limit).ok()??;
        (Digest::of(&bytes) == *digest).then_some(bytes)
    }

    /// Writes a small blob, whose digest is known to match.
    pub(crate) fn write(&self, digest: &Digest, bytes: &[u8]) -> Result<(), StoreError> {
        if self.read(digest, bytes.len() as u64).is_some() { Ok(()) } else { files::replace(&self.path(digest), bytes) }
    }

    /// Removes a blob.
    pub(crate) fn remove(&self, digest: &Digest) -> Result<(), StoreError> {
        files::remove(&self.path(digest))
    }

    /// Opens a finished blob for reading from its beginning.
    pub(crate) fn open(&self, digest: &Digest) -> Result<FileSource, StoreError> {
        let path = self.path(digest);
        Ok(FileSource { file: File::open(&path).context("open", &path)?, left: u64::MAX })
    }

    /// Claims a blob for downloading, waiting for whoever does so already.
    pub(crate) fn claim(&self, digest: &Digest) -> Result<Ingest, StoreError> {
        let path = self.unfinished().join(digest.hex());
        loop {
            let lock = files::lock(files::open_lock_file(&path)?, &path)?;
            // The one before us may have renamed or removed the file that we waited for.
            if is_still_at(&lock, &path) {
                return Ok(Ingest { target: self.path(digest), path, lock });
            }
        }
    }
}

fn is_still_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

/// A blob being downloaded, ours alone.
#[derive(Debug)]
pub(crate) struct Ingest {
    path: PathBuf,
    target: PathBuf,
    lock: Flock<File>,
}

impl Ingest {
    /// Returns how many bytes an earlier download left.
    pub(crate) fn length(&self) -> Result<u64, StoreError> {
        Ok(self.lock.metadata().context("read", &self.path)?.len())
    }

    /// Reads what an earlier download left, `length` bytes of it.
    pub(crate) fn beginning(&self, length: u64) -> Result<FileSource, StoreError> {
        let mut file = File::open(&self.path).context("open", &self.path)?;
        file.seek(SeekFrom::Start(0)).context("read", &self.path)?;
        Ok(FileSource { file, left: length })
    }

    /// Forgets what an earlier download left.
    pub(crate) fn clear(&self) -> Result<(), StoreError> {
        self.lock.set_len(0).context("truncate", &self.path)
    }

    /// Returns a writer that goes on after `length` bytes.
    pub(crate) fn writer(&self, length: u64) -> Result<BufWriter<File>, StoreError> {
        let mut file = self.lock.try_clone().context("open", &self.path)?;
        file.set_len(length).context("truncate", &self.path)?;
        file.seek(SeekFrom::Start(length)).context("write", &self.path)?;
        Ok(BufWriter::with_capacity(PIECE, file))
    }

    /// Turns the complete and checked file into a blob.
    pub(crate) fn finish(self, mut writer: BufWriter<File>) -> Result<(), StoreError> {
        writer.flush().context("write", &self.path)?;
        fs::rename(&self.path, &self.target).context("rename", &self.path)
    }

    /// Removes the file: it is not needed, or its content is not what it should be.
    pub(crate) fn discard(self) -> Result<(), StoreError> {
        files::remove(&self.path)
    }
}

/// Reads a blob from a file.
#[derive(Debug)]
pub(crate) struct FileSource {
    file: File,
    /// Bytes to read at most.
    left: u64,
}

impl Source for FileSource {
    type Error = io::Error;

    fn next(&mut self) -> io::Result<Option<Bytes>> {
        let mut piece = Vec::with_capacity(PIECE);
        (&self.file).take(self.left.min(PIECE as u64)).read_to_end(&mut piece)?;
        self.left -= piece.len() as u64;
        Ok((!piece.is_empty()).then(|| Bytes::from(piece)))
    }
}
