//! Why a push failed.
//!
//! Runs in the shell command's process.

use crate::digest::Digest;
use crate::manifest::ManifestError;
use crate::registry::RegistryError;
use crate::store::StoreError;

/// Why a push failed.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// What a digest names cannot be put anywhere else.
    #[error("`{0}` names an image by digest, which cannot be pushed; give it a tag")]
    ByDigest(String),
    /// There is nothing to push.
    #[error("no such image: `{0}`")]
    NotStored(String),
    /// There is no tag of the repository.
    #[error("the store has no tag of `{0}`")]
    NoTags(String),
    /// A blob was removed behind our back; pulling the image again brings it back.
    #[error("blob `{digest}` of `{reference}` is missing or damaged; pull the image again")]
    MissingBlob {
        /// The blob.
        digest: Digest,
        /// The image.
        reference: String,
    },
    /// A document is not what it should be.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The registry cannot be reached, or does not take it.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}
