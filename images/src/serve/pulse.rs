//! How long a client has been waited for.
//!
//! Runs in the shell command's process. hyper limits the time for the head of a request, and with it that of an idle connection;
//! the rest is limited here: a body that does not come, an answer that is not read. Time in which this side works does not count.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// How long a client may take for one piece of a body, 256 KiB: no line that can carry images takes as long, and connections are
/// few.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// What is stored while nobody is waited for.
const WORKING: u64 = u64::MAX;

/// The state of one connection; clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Pulse {
    begun: Instant,
    /// Milliseconds after `begun` since when the client is waited for.
    since: Arc<AtomicU64>,
}

impl Pulse {
    /// Waits for a client from now on.
    pub(super) fn new() -> Pulse {
        Pulse { begun: Instant::now(), since: Arc::new(AtomicU64::new(0)) }
    }

    /// The client is waited for from now on.
    pub(super) fn waits(&self) {
        self.since.store(self.begun.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    /// Nobody is waited for.
    pub(super) fn works(&self) {
        self.since.store(WORKING, Ordering::Relaxed);
    }

    /// Returns when the client has been waited for too long.
    pub(super) async fn stalled(&self) {
        loop {
            let left = match self.since.load(Ordering::Relaxed) {
                WORKING => PATIENCE,
                since => PATIENCE.saturating_sub(self.begun.elapsed() - Duration::from_millis(since)),
            };
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_client_that_is_waited_for_stalls() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (pulse, begun) = (Pulse::new(), Instant::now());
            pulse.works();
            assert!(tokio::time::timeout(3 * PATIENCE, pulse.stalled()).await.is_err());
            pulse.waits();
            pulse.stalled().await;
            assert!((4 * PATIENCE..5 * PATIENCE).contains(&begun.elapsed()), "{:?}", begun.elapsed());
        });
    }
}
