//! Why a pull failed.
//!
//! Runs in the shell command's process.

use crate::digest::Digest;
use crate::layer::CorruptBlob;
use crate::manifest::ManifestError;
use crate::registry::RegistryError;
use crate::store::StoreError;

/// Why a pull failed.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// The reference or a blob cannot be had.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A document is refused.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Index within index, deeper than anybody needs.
    #[error("index `{0}` nests too deeply")]
    TooDeep(Digest),
    /// A blob came and is not the one its digest names. It is not kept.
    #[error("blob `{digest}` of `{reference}` is corrupt")]
    Corrupt {
        /// The digest asked for.
        digest: Digest,
        /// The image, in familiar form.
        reference: String,
        /// How it differs.
        #[source]
        source: CorruptBlob,
    },
    /// A blob is announced with a size beyond our limit.
    #[error("image configuration `{digest}` has {size} bytes; the limit is {limit}")]
    TooLarge {
        /// The configuration.
        digest: Digest,
        /// Its announced size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// Another layer has failed; that failure is the one to show.
    #[error("layer `{0}` was given up because another one failed")]
    GivenUp(Digest),
    /// A layer cannot be unpacked.
    #[error("unpack layer `{layer}`")]
    Layer {
        /// Digest of the layer's blob.
        layer: Digest,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store cannot take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl PullError {
    /// Tells whether this only follows from another failure of the same pull.
    pub(super) fn is_consequence(&self) -> bool {
        matches!(self, PullError::GivenUp(_))
    }
}
