//! Blobs that come from a client of `registry serve`, piece by piece.
//!
//! Runs in the shell command's process. An upload is a locked file in `ROOT/images/ingest`, so what a killed server left is
//! swept like any other beginning of a blob: it has no lock.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;

use nix::fcntl::Flock;
use sha2::{Digest as _, Sha256};

use super::error::{Context, StoreError};
use super::{Store, files};
use crate::digest::Digest;

/// Prefix of uploads; a download's file is named by its digest.
const PREFIX: &str = "upload-";

/// A blob on its way in; its file is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Upload {
    path: PathBuf,
    file: Flock<File>,
    hasher: Sha256,
    length: u64,
}

impl Store {
    /// Begins an upload.
    pub(crate) fn begin_upload(&self) -> Result<Upload, StoreError> {
        // Between the file's appearance and its lock a sweep might take it for a left-over; sweeps hold the store's lock.
        let _lock = self.lock()?;
        let path = self.blobs.unfinished().join(format!("{PREFIX}{}", files::random_name()));
        let file = files::lock(files::open_lock_file(&path)?, &path)?;
        Ok(Upload { path, file, hasher: Sha256::new(), length: 0 })
    }

    /// Removes what killed servers left of uploads.
    pub(crate) fn sweep_uploads(&self) -> Result<(), StoreError> {
        let _lock = self.lock()?;
        let directory = self.blobs.unfinished();
        for name in files::names(&directory)?.into_iter().filter(|name| name.starts_with(PREFIX)) {
            let path = directory.join(name);
            if let Some(_owner) = files::try_lock(&path)? {
                files::remove(&path)?;
            }
        }
        Ok(())
    }

    /// Turns a complete upload into the blob `digest`, which it has; the caller keeps that from being swept.
    pub(crate) fn finish_upload(&self, upload: &mut Upload, digest: &Digest) -> Result<(), StoreError> {
        fs::rename(&upload.path, self.blobs.path(digest)).context("rename", &upload.path)
    }
}

impl Upload {
    /// Returns how many bytes have come.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Returns the digest of what has come.
    pub(crate) fn digest(&self) -> Digest {
        Digest::finish(self.hasher.clone())
    }

    /// Adds bytes. After an error the upload is of no use any more.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file.write_all(bytes).context("write", &self.path)?;
        self.hasher.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // One that was finished has another name by now; one that cannot be removed is swept.
        let _ = files::remove(&self.path);
    }
}
