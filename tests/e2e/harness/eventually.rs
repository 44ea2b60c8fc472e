//! Waiting for a state, never for a time.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// Pause between two looks: short beside what is waited for, long beside what a look costs.
const INTERVAL: Duration = Duration::from_millis(20);

/// Factor by which this machine is slower than those the limits were made for; an emulated one says so.
const SLOWNESS: &str = "LIGHTER_TEST_SLOWNESS";

/// Returns `limit` as it is on this machine.
pub(crate) fn patient(limit: Duration) -> Duration {
    let factor = std::env::var_os(SLOWNESS).and_then(|factor| factor.to_str()?.parse().ok());
    limit * factor.unwrap_or(1)
}

/// Calls `check` until it succeeds and returns what it found.
///
/// Panics after `limit`, stretched where the machine is slow, with the last thing that `check` had to say.
pub(crate) fn eventually<T, E: Display>(what: &str, limit: Duration, mut check: impl FnMut() -> Result<T, E>) -> T {
    let (limit, started) = (patient(limit), Instant::now());
    loop {
        match check() {
            Ok(found) => return found,
            Err(last) if started.elapsed() >= limit => panic!("not within {limit:?}: {what}\nlast: {last}"),
            Err(_) => pause(),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one pause between two looks at a state")]
fn pause() {
    std::thread::sleep(INTERVAL);
}
