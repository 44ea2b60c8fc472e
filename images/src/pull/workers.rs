//! The layers of a pull, several at a time.
//!
//! Runs in the shell command's process. Each worker takes the next layer, largest first so that no long one is left to the
//! end, until none is left or one has failed. Layers that cannot stand alone follow afterwards, from the bottom, when all
//! below them are there.

use std::cmp::Reverse;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::error::PullError;
use super::layer::{Layer, Progressed};
use crate::digest::Digest;
use crate::progress::Progress;
use crate::reference::Reference;
use crate::registry::Session;
use crate::slots::Slots;
use crate::store::{Lease, Listed, Store};

/// What every layer of a pull needs.
pub(super) struct Work<'a> {
    pub(super) store: &'a Store,
    pub(super) session: &'a Session,
    pub(super) lease: &'a Lease,
    pub(super) listed: &'a Listed,
    pub(super) reference: &'a Reference,
    pub(super) progress: &'a dyn Progress,
    /// Set when a layer has failed.
    pub(super) aborted: AtomicBool,
    /// Set when a layer was fetched or unpacked.
    pub(super) has_changed: AtomicBool,
}

impl Work<'_> {
    /// Tells whether a layer has failed, so that the others are not needed any more.
    pub(super) fn is_aborted(&self) -> bool {
        self.aborted.load(Ordering::Relaxed)
    }
}

/// Fetches and unpacks every layer, as many at once as there are `slots`.
pub(super) fn fetch_all(work: &Work<'_>, layers: &[Layer], slots: &Slots) -> Result<(), PullError> {
    let mut largest_first: Vec<&Layer> = layers.iter().collect();
    largest_first.sort_by_key(|layer| Reverse(layer.size));
    let next = AtomicUsize::new(0);
    let worker = || -> Result<Vec<usize>, PullError> {
        let mut on_top = Vec::new();
        while let Some(layer) = largest_first.get(next.fetch_add(1, Ordering::Relaxed)).filter(|_| !work.is_aborted()) {
            // Before the blob is claimed: whoever waits for a claim then waits for somebody who has a slot.
            let _slot = slots.take();
            let result = layer.fetch(work).inspect_err(|_| work.aborted.store(true, Ordering::Relaxed));
            if result? == Progressed::NeedsBelow {
                on_top.push(layer.position);
            }
        }
        Ok(on_top)
    };
    let workers = slots.count().min(layers.len());
    let results: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    });
    let mut on_top: Vec<usize> = Vec::new();
    for result in first_cause_first(results) {
        on_top.extend(result?);
    }
    on_top.sort_unstable();
    on_top.into_iter().try_for_each(|position| unpack_on_top(work, layers, position))
}

/// Puts the failure that made the others give up before theirs.
fn first_cause_first(mut results: Vec<Result<Vec<usize>, PullError>>) -> Vec<Result<Vec<usize>, PullError>> {
    results.sort_by_key(|result| match result {
        Err(error) if error.is_consequence() => 1,
        Err(_) => 0,
        Ok(_) => 2,
    });
    results
}

fn unpack_on_top(work: &Work<'_>, layers: &[Layer], position: usize) -> Result<(), PullError> {
    let layer = &layers[position];
    if layer.is_unpacked(work) {
        return Ok(());
    }
    let below: Option<Vec<Digest>> = layers[..position].iter().map(|below| below.key(work)).collect();
    // Every layer below has been made by now, by us or by somebody else, and our lease keeps it.
    let below = below.ok_or_else(|| PullError::Layer {
        layer: layer.blob.clone(),
        source: "a layer below it has disappeared".into(),
    })?;
    layer.unpack_on_top(work, &below)
}
