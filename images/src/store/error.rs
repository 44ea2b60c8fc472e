//! Why the store could not do what was asked.
//!
//! Runs in the shell command's process.

use std::io;
use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::reference::ReferenceError;

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file of the store cannot be read, written or removed.
    #[error("{act} `{}`", path.display())]
    File {
        /// What was tried.
        act: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// A file of the store is not what it should be.
    #[error("`{}` is damaged: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A layer of an image is not there; pulling the image again brings it back.
    #[error("layer `{layer}` of image `{image}` is missing; pull the image again")]
    MissingLayer {
        /// The layer's key.
        layer: Digest,
        /// A name of the image.
        image: String,
    },
    /// The name can be neither a reference nor an image id.
    #[error(transparent)]
    Name(#[from] ReferenceError),
    /// The beginning of an id fits several images.
    #[error("image id `{prefix}` is ambiguous: it fits {}", ids.iter().map(Digest::short).collect::<Vec<_>>().join(", "))]
    Ambiguous {
        /// What was asked for.
        prefix: String,
        /// The ids it fits.
        ids: Vec<Digest>,
    },
    /// There is no such image.
    #[error("no such image: `{0}`")]
    NoSuchImage(String),
    /// A name for an image has a digest.
    #[error("`{0}` has a digest: an image is given a name with a tag")]
    NotATag(String),
    /// A container needs the image.
    #[error("image `{image}` is in use by {user}")]
    InUse {
        /// What was to be removed.
        image: String,
        /// Who uses it.
        user: String,
    },
    /// An id was given, and removing it would take several names away.
    #[error("image `{id}` has several names ({}); remove them one by one, or force it", names.join(", "))]
    SeveralNames {
        /// The short id.
        id: String,
        /// The names.
        names: Vec<String>,
    },
}

/// Adds act and object to an I/O error.
pub(super) trait Context<T> {
    /// Names what was tried on which path.
    fn context(self, act: &'static str, path: &Path) -> Result<T, StoreError>;
}

impl StoreError {
    /// Returns whether there is no room on the disk for what was to be written.
    pub(super) fn is_full_disk(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        matches!(self, Self::File { source, .. } if matches!(source.kind(), StorageFull | QuotaExceeded))
    }
}

impl<T, E: Into<io::Error>> Context<T> for Result<T, E> {
    fn context(self, act: &'static str, path: &Path) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::File { act, path: path.to_owned(), source: source.into() })
    }
}
