//! Why an archive could not be read or written.
//!
//! Runs in the shell command's process.

use std::io;

use crate::install::InstallError;
use crate::manifest::ManifestError;
use crate::reference::ReferenceError;
use crate::store::StoreError;

/// Why an archive could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The archive cannot be read, for want of the device, the compression or the form.
    #[error("{act} the archive")]
    Read {
        /// What was tried.
        act: &'static str,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It is a tar, and describes no images, or has neither `manifest.json` nor `oci-layout` and `index.json`.
    #[error("the archive has no images")]
    NoImages,
    /// Something that the archive speaks of is not in it.
    #[error("the archive has no `{0}`")]
    Missing(String),
    /// A description of the images is not what it should be.
    #[error("`{name}` of the archive {why}")]
    Malformed {
        /// The file's name in the archive.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// A name that an image shall have is none.
    #[error("the archive names an image")]
    Name(#[from] ReferenceError),
    /// The documents of an image are not well formed, or have nothing for the platform.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// An image that is to be saved is of another platform.
    #[error("image `{image}` is of platform {has}, not {wanted}")]
    Platform {
        /// The image's name.
        image: String,
        /// Its platform.
        has: String,
        /// The platform asked for.
        wanted: String,
    },
    /// A layer cannot be installed.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// The archive cannot be written.
    #[error("write the archive")]
    Write(#[source] io::Error),
    /// The store has no such image, or cannot take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes an error of reading.
pub(super) fn read<E: Into<Box<dyn std::error::Error + Send + Sync>>>(act: &'static str) -> impl Fn(E) -> ArchiveError {
    move |source| ArchiveError::Read { act, source: source.into() }
}
