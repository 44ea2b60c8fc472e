//! Blobs that clients rely on and no document needs yet.
//!
//! Runs in the shell command's process. A client pushes blobs, or is told that they are here, before it pushes the document
//! that needs them; until then nothing must sweep them away. They are on a lease of the server's for an hour after they were
//! last spoken of.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::reply::Refusal;
use crate::digest::Digest;
use crate::store::{Lease, Needs, Store, StoreError};

/// How long a blob waits for its document.
const KEPT: Duration = Duration::from_secs(3600);

/// Most blobs that wait at once: their lease is a file of 1.2 MB then.
const MOST: usize = 16_384;

/// The blobs that wait.
#[derive(Debug, Default)]
pub(super) struct Claims {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    lease: Option<Lease>,
    blobs: HashMap<Digest, Claim>,
}

#[derive(Debug)]
struct Claim {
    size: u64,
    until: Instant,
}

impl Claims {
    /// Keeps a blob, which need not be there yet.
    pub(super) fn keep(&self, store: &Store, blobs: &[(Digest, u64)]) -> Result<(), Refusal> {
        let until = Instant::now() + KEPT;
        let mut state = self.state();
        let new = blobs.iter().filter(|(digest, _)| !state.blobs.contains_key(digest)).count();
        if state.blobs.len() + new > MOST {
            return Err(Refusal::busy("too many blobs wait for their manifests", Duration::from_secs(60)));
        }
        for (digest, size) in blobs {
            state.blobs.insert(digest.clone(), Claim { size: *size, until });
        }
        if new > 0 { Ok(state.renew(store)?) } else { Ok(()) }
    }

    /// Returns the size of a blob that waits.
    pub(super) fn size(&self, digest: &Digest) -> Option<u64> {
        self.state().blobs.get(digest).map(|claim| claim.size)
    }

    /// Lets blobs go: a document has them now, or they are not wanted any more. Returns whether one had waited.
    pub(super) fn release(&self, store: &Store, digests: &[Digest]) -> Result<bool, StoreError> {
        self.retain(store, |digest, _| !digests.contains(digest))
    }

    /// Lets go what has waited too long. Returns whether there was any.
    pub(super) fn expire(&self, store: &Store) -> Result<bool, StoreError> {
        let now = Instant::now();
        self.retain(store, |_, claim| claim.until > now)
    }

    fn retain(&self, store: &Store, keeps: impl Fn(&Digest, &Claim) -> bool) -> Result<bool, StoreError> {
        let mut state = self.state();
        let before = state.blobs.len();
        state.blobs.retain(|digest, claim| keeps(digest, claim));
        let has_changed = state.blobs.len() < before;
        if has_changed {
            state.renew(store)?;
        }
        Ok(has_changed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What a panic left is at worst a claim too many.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn renew(&mut self, store: &Store) -> Result<(), StoreError> {
        if self.blobs.is_empty() {
            self.lease = None;
            return Ok(());
        }
        let needs = Needs { blobs: self.blobs.keys().cloned().collect(), ..Needs::default() };
        let lease = match self.lease.take() {
            Some(lease) => lease,
            None => store.begin_push()?,
        };
        store.renew(self.lease.insert(lease), &needs)
    }
}
