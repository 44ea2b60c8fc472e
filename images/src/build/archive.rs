//! A layer's directory as the archive that it stands for: its digest, and the blobs that hold it.
//!
//! Runs in the shell command's process, in a stage's thread. The directory is read once: what is read is hashed, and kept
//! plain where the build's result has the layer. It is compressed when somebody carries it away (adr/0038).

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::panic::resume_unwind;
use std::sync::PoisonError;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use sha2::{Digest as _, Sha256};

use super::cache::BlobRecord;
use super::error::StepError;
use super::session::Build;
use super::tree::open_root;
use crate::content::Content;
use crate::derive::{Upper, written};
use crate::digest::Digest;
use crate::layer::{Compression, Form, Selection, Unpacked, write_directory};
use crate::store::{LayerIds, Store, StoreError};

/// Bytes that go from the thread that reads to the one that hashes at once.
const PIECE: usize = 256 * 1024;

/// Pieces that wait for being hashed at most.
const DEPTH: usize = 4;

/// A directory that was read as an archive.
pub(crate) struct Archived {
    pub(crate) diff_id: Digest,
    /// Bytes of the archive.
    size: u64,
    entries: u64,
}

impl Archived {
    /// Describes the directory as if the archive had been unpacked to it.
    pub(crate) fn unpacked(&self) -> Unpacked {
        // Headers, and the end of the archive.
        let bytes = self.size.saturating_sub((self.entries + 3) * 512);
        Unpacked { entries: self.entries, bytes, is_for_bottom: false, describes_root: true }
    }
}

/// Reads a directory as an archive, and writes that to `keep`; `None` if nothing is in it.
pub(crate) fn read(root: OwnedFd, keep: Option<&File>) -> Result<Option<Archived>, StepError> {
    let selection = Selection { form: Form::Layer, placeholders: &HashSet::new(), below: None, has_content: true };
    let (sender, receiver) = sync_channel(DEPTH);
    let (entries, absorbed) = thread::scope(|scope| {
        let absorbing = scope.spawn(|| absorb(receiver, keep));
        let entries = write_directory(root, &selection, Pieces { sender, piece: Vec::with_capacity(PIECE) });
        (entries, absorbing.join().unwrap_or_else(|panic| resume_unwind(panic)))
    });
    // Whoever reads is told of nothing but that nobody takes it any more.
    let (diff_id, size) = absorbed.map_err(StepError::io("keep the layer"))?;
    let entries = entries?;
    Ok((entries > 0).then_some(Archived { diff_id, size, entries }))
}

fn absorb(pieces: Receiver<Vec<u8>>, mut keep: Option<&File>) -> io::Result<(Digest, u64)> {
    let (mut hasher, mut size) = (Sha256::new(), 0);
    for piece in pieces {
        hasher.update(&piece);
        size += piece.len() as u64;
        if let Some(file) = &mut keep {
            file.write_all(&piece)?;
        }
    }
    Ok((Digest::finish(hasher), size))
}

/// Sends what is written to another thread, in pieces.
struct Pieces {
    sender: SyncSender<Vec<u8>>,
    piece: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..length]);
        if self.piece.len() == PIECE {
            self.flush()?;
        }
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        self.sender.send(piece).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Build<'_> {
    /// Reads a step's changes, and keeps their archive as a blob if `is_kept`; `None` if there are none.
    pub(crate) fn archive(&self, root: OwnedFd, is_kept: bool) -> Result<Option<Archived>, StepError> {
        if !is_kept {
            return read(root, None);
        }
        let store = self.with.store;
        let file = store.blobs().spool()?;
        let Some(archived) = read(root, Some(&file))? else { return Ok(None) };
        keep(store, &archived.diff_id, file)?;
        self.archives.lock().unwrap_or_else(PoisonError::into_inner).insert(archived.diff_id.clone());
        Ok(Some(archived))
    }

    /// Returns the blob of a layer that a step gave, making it unless that was done before; `None` if the layer is gone.
    ///
    /// # Errors
    /// [`StepError`].
    pub(crate) fn blob(&self, diff_id: &Digest, compression: Compression) -> Result<Option<BlobRecord>, StepError> {
        match compression {
            Compression::None => self.plain_blob(diff_id),
            _ => self.compressed_blob(diff_id),
        }
    }

    fn plain_blob(&self, diff_id: &Digest) -> Result<Option<BlobRecord>, StepError> {
        let record = |size| BlobRecord { digest: diff_id.clone(), size };
        let is_ours = || self.archives.lock().unwrap_or_else(PoisonError::into_inner).contains(diff_id);
        // Any other may have been cut off when the machine stopped.
        if (self.listed.blobs.contains(diff_id) || is_ours())
            && let Some(size) = self.with.store.blobs().size(diff_id)
        {
            return Ok(Some(record(size)));
        }
        let Some(directory) = self.layer(diff_id)? else { return Ok(None) };
        match self.archive(directory, true)? {
            Some(archived) if archived.diff_id == *diff_id => Ok(Some(record(archived.size))),
            Some(_) => Err(changed(diff_id)),
            None => Ok(None),
        }
    }

    fn compressed_blob(&self, diff_id: &Digest) -> Result<Option<BlobRecord>, StepError> {
        let (store, cache) = (self.with.store, self.with.cache);
        if let Some(blob) = cache.blob(diff_id).filter(|blob| store.blobs().has(&blob.digest, blob.size)) {
            return Ok(Some(blob));
        }
        let Some(directory) = self.layer(diff_id)? else { return Ok(None) };
        let upper = Upper { directory, placeholders: &Default::default(), is_copy: false };
        let Some((content, layer)) = written(store, &[], upper)? else { return Ok(None) };
        if layer.diff_id != *diff_id {
            return Err(changed(diff_id));
        }
        store.blobs().keep(&layer.blob, &content)?;
        let blob = BlobRecord { digest: layer.blob, size: layer.size };
        cache.add_blob(diff_id, &blob)?;
        Ok(Some(blob))
    }

    /// Opens the directory of a layer that a step gave.
    fn layer(&self, diff_id: &Digest) -> Result<Option<OwnedFd>, StepError> {
        let directories = self.with.store.layer_directories();
        let ids = LayerIds { diff_id: diff_id.clone(), chain_id: diff_id.clone() };
        let found = directories.find_whole(&ids, &[diff_id.clone()].into());
        let opened = found.map(|found| open_root(&directories.files_of(&found.key)));
        opened.transpose().map_err(StepError::io("open the layer"))
    }
}

fn keep(store: &Store, digest: &Digest, file: File) -> Result<(), StoreError> {
    let path = store.blobs().path(digest);
    let content = Content::whole(file).map_err(|source| StoreError::File { act: "write", path, source })?;
    store.blobs().keep(digest, &content)
}

fn changed(diff_id: &Digest) -> StepError {
    StepError::Refused(format!("layer `{diff_id}` has changed on the disk: remove it with `builder prune`"))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek};

    use super::*;

    #[test]
    fn what_is_kept_is_what_was_hashed() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("large"), vec![7; 3 * PIECE + 1]).unwrap();
        std::fs::write(directory.path().join("small"), "x").unwrap();
        let mut file = tempfile::tempfile().unwrap();
        let archived = read(open_root(directory.path()).unwrap(), Some(&file)).unwrap().unwrap();
        let mut kept = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut kept).unwrap();
        assert_eq!((Digest::of(&kept), kept.len() as u64), (archived.diff_id.clone(), archived.size));
        assert_eq!(archived.entries, 2);
        let again = read(open_root(directory.path()).unwrap(), None).unwrap().unwrap();
        assert_eq!(again.diff_id, archived.diff_id);
        let empty = tempfile::tempdir().unwrap();
        assert!(read(open_root(empty.path()).unwrap(), None).unwrap().is_none());
    }
}
