//! Manifests, indexes and configurations: parsed strictly, so that nobody else reads the same bytes as something else.
//!
//! Runs in the shell command's process; pure. Every document's digest is checked before it comes here. OCI image-spec
//! manifest.md, image-index.md, config.md, and Docker's schema 2, which differs in media types only.

mod config;
mod document;
mod index;
mod write;

pub(crate) use config::{chain, parse_config, rootfs_digests};
pub use document::ManifestError;
pub(crate) use document::{Document, Media, OCI_MANIFEST, descriptor_digest};
pub(crate) use index::select;
pub(crate) use write::{descriptor, image, index};

pub use config::Healthcheck;

/// Largest manifest or index in bytes: 4 MiB, what a registry must accept (OCI distribution-spec, "Pushing manifests").
pub(crate) const LARGEST_MANIFEST: u64 = 4 << 20;

/// Largest image configuration in bytes; long histories make it larger than a manifest, never by much.
pub(crate) const LARGEST_CONFIG: u64 = 8 << 20;
