//! `ROOT/images/blobs`: content by its digest, and `ROOT/images/ingest`: blobs on their way there.
//!
//! Runs in the shell command's process. A blob in `ingest` is locked by whoever downloads it; another pull that wants the
//! same one waits for those very bytes. That lock stands outside the store's lock order: nothing else is ever waited for
//! under it but the registry, and it ends with its process. What an interrupted download left is its beginning.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, Flock, OFlag, open};
use nix::sys::stat::Mode;
use nix::unistd::linkat;

use super::error::{Context, StoreError};
use super::files;
use crate::content::Content;
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

    /// Returns the size of a blob; `None` if there is none.
    pub(crate) fn size(&self, digest: &Digest) -> Option<u64> {
        fs::symlink_metadata(self.path(digest)).ok().filter(fs::Metadata::is_file).map(|metadata| metadata.len())
    }

    /// Keeps complete and checked content as a blob: a file without a name becomes it, of any other it is a copy.
    pub(crate) fn keep(&self, digest: &Digest, content: &Content) -> Result<(), StoreError> {
        let path = self.path(digest);
        let ingest = self.claim(digest)?;
        if let Some(file) = content.file().context("read", &path)?
            && ingest.adopt(file)?
        {
            return ingest.discard();
        }
        let mut writer = ingest.writer(0)?;
        io::copy(&mut content.reader(), &mut writer).context("write", &path)?;
        ingest.finish(writer)
    }

    /// Reads a small blob and checks it; one that is absent or damaged is `None`.
    pub(crate) fn read(&self, digest: &Digest, limit: u64) -> Option<Vec<u8>> {
        let bytes = files::read(&self.path(digest), limit).ok()??;
        (Digest::of(&bytes) == *digest).then_some(bytes)
    }

    /// Writes a small blob, whose digest is known to match; it is durable then.
    pub(crate) fn write(&self, digest: &Digest, bytes: &[u8]) -> Result<(), StoreError> {
        if self.read(digest, bytes.len() as u64).is_some() {
            return Ok(());
        }
        // Not beside its place: whoever sweeps the store takes whatever has no digest for its name.
        let ingest = self.claim(digest)?;
        let path = self.path(digest);
        let mut writer = ingest.writer(0)?;
        writer.write_all(bytes).and_then(|()| writer.flush()).context("write", &path)?;
        writer.get_ref().sync_all().context("write", &path)?;
        ingest.finish(writer)?;
        File::open(self.finished()).and_then(|directory| directory.sync_all()).context("write", &path)
    }

    /// Removes a blob.
    pub(crate) fn remove(&self, digest: &Digest) -> Result<(), StoreError> {
        files::remove(&self.path(digest))
    }

    /// Opens a finished blob to be read by position.
    pub(crate) fn content(&self, digest: &Digest) -> Result<Content, StoreError> {
        let path = self.path(digest);
        File::open(&path).and_then(Content::whole).context("open", &path)
    }

    /// Makes a file that has no name and goes with its last descriptor, even when the machine stops: open(2), `O_TMPFILE`.
    pub(crate) fn spool(&self) -> Result<File, StoreError> {
        let directory = self.unfinished();
        let flags = OFlag::O_TMPFILE | OFlag::O_RDWR | OFlag::O_CLOEXEC;
        match open(&directory, flags, Mode::S_IRUSR | Mode::S_IWUSR) {
            Ok(file) => Ok(file.into()),
            // The file system cannot; a name of a moment will do.
            Err(Errno::EOPNOTSUPP | Errno::EISDIR) => {
                let path = directory.join(files::random_name());
                let file = files::open_lock_file(&path)?;
                files::remove(&path).map(|()| file)
            }
            Err(errno) => Err(errno).context("create a file in", &directory),
        }
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

    /// Makes a blob of a complete and checked `file` without a name, instead of a copy of it; `false` if that cannot be.
    pub(crate) fn adopt(&self, file: &File) -> Result<bool, StoreError> {
        let open = format!("/proc/self/fd/{}", file.as_raw_fd());
        let named = self.path.with_file_name(files::random_name());
        match linkat(AT_FDCWD, open.as_str(), AT_FDCWD, &named, AtFlags::AT_SYMLINK_FOLLOW) {
            Ok(()) => fs::rename(&named, &self.target).context("rename", &named).map(|()| true),
            // It has a name elsewhere, on another file system perhaps, or had one and lost it.
            Err(Errno::ENOENT | Errno::EXDEV | Errno::EPERM) => Ok(false),
            Err(errno) => Err(errno).context("link", &named),
        }
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
