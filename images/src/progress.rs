//! What a pull or push tells whoever watches it.
//!
//! Runs in the shell command's process. Events come from several threads at once, so a [`Progress`] is `Sync` and must
//! not block: a slow terminal would slow the pull down.

use std::time::Duration;

use crate::digest::Digest;
use crate::reference::Reference;

/// Receives the events of a pull or push.
pub trait Progress: Sync {
    /// Takes one event; called from any thread.
    fn report(&self, event: Event<'_>);
}

/// One step of a pull or push. A layer is named by the digest of its blob, as registries and `docker pull` show it.
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
    /// The layer will be seen to; it waits for its turn.
    LayerWaiting {
        /// Digest of the layer's blob.
        layer: &'a Digest,
        /// Bytes of the whole blob.
        total: u64,
    },
    /// The layer is in the store already, blob and directory; when pushing, it is at the registry.
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
    /// More of the layer's blob has been sent.
    LayerUpload {
        /// Digest of the layer's blob.
        layer: &'a Digest,
        /// Bytes sent so far.
        done: u64,
        /// Bytes of the whole blob.
        total: u64,
    },
    /// The layer's blob is at the registry.
    LayerPushed {
        /// Digest of the layer's blob.
        layer: &'a Digest,
    },
    /// The layer's blob was at the registry in another repository, and is in this one too now.
    LayerMounted {
        /// Digest of the layer's blob.
        layer: &'a Digest,
        /// Path of the other repository.
        source: &'a str,
    },
    /// A registry or mirror did not answer as it should.
    Retry {
        /// Host (and port) of the registry or mirror.
        host: &'a str,
        /// What went wrong there, one line.
        cause: &'a str,
        /// Time until it is asked again; `None` if another place is asked instead.
        pause: Option<Duration>,
    },
    /// Something is not as the user may think, one line.
    Warning {
        /// What.
        text: &'a str,
    },
    /// The image is at the registry under its reference.
    Pushed {
        /// The reference.
        reference: &'a Reference,
        /// The digest of its manifest.
        digest: &'a Digest,
        /// Bytes of the manifest.
        size: u64,
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
