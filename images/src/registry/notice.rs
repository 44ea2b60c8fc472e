//! What a conversation tells while it goes on.
//!
//! Runs in the shell command's process: told in the registry thread, taken by a thread of the session that passes it on.

use std::sync::mpsc::Sender;
use std::time::Duration;

use super::failure::Attempt;
use crate::digest::Digest;

/// Something worth telling, though nothing has failed for good.
#[derive(Debug, Clone)]
pub(super) enum Notice {
    /// A place did not serve; it is asked again after the pause, or else the next one is.
    Retry(Attempt, Option<Duration>),
    /// Something else than expected, one line.
    Warning(String),
    /// More of a blob was sent.
    Sent {
        /// Its digest.
        blob: Digest,
        /// Bytes sent so far.
        done: u64,
        /// Bytes of the whole blob.
        total: u64,
    },
}

/// Takes notices, from any task of the conversation.
#[derive(Debug, Clone)]
pub(super) struct Notices(pub(super) Sender<Notice>);

impl Notices {
    /// Tells something; when the session is over there is nobody to tell.
    pub(super) fn tell(&self, notice: Notice) {
        let _ = self.0.send(notice);
    }
}
