//! What a pull tells whoever watches it.
//!
//! Runs in the shell command's process. Events come from several threads at once, so a [`Progress`] is `Sync` and must
//! not block: a slow terminal would slow the pull down.

use crate::digest::Digest;
use crate::reference::Reference;

/// Receives the events of a pull.
pub trait Progress: Sync {
    /// Takes one event; called from any thread.
    fn report(&self, event: Event<'_>);
}

/// One step of a pull. A layer is named by the digest of its blob, as registries and `docker pull` show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The reference was looked up; `digest` is what the registry served under it (an index or a manifest).
    Resolved {
        /// What was asked for.
        reference: &'a Reference,
        /// The digest of the document served.
        digest: &'a Digest,
    },
    /// The layer is in the store already, blob and directory.
    LayerExists {
        /// Digest of the layer's blob.
        layer: &'a Digest,
    },
    /// More of the layer's blob has arrived.
    LayerDownload {
        /// Digest of the layer's blob.
        layer: &'a Digest,
        /// Bytes here so far.
        done: u64,
        /// Bytes of the whole blob.
        total: u64,
    },
    /// The layer's directory is complete and both its digests match.
    LayerUnpacked {
        /// Digest of the layer's blob.
        layer: &'a Digest,
    },
    /// A registry or mirror did not answer as it should; the pull goes on with the next one, or after a pause.
    Retry {
        /// Host (and port) of the registry or mirror.
        host: &'a str,
        /// What went wrong there, one line.
        cause: &'a str,
    },
    /// The image is in the store under its reference.
    Done {
        /// What was asked for.
        reference: &'a Reference,
        /// The digest of the document served, as in [`Event::Resolved`].
        digest: &'a Digest,
        /// Whether the reference pointed to another image before, or to none.
        changed: bool,
    },
}

/// Ignores every event.
pub struct Silent;

impl Progress for Silent {
    fn report(&self, _event: Event<'_>) {}
}
