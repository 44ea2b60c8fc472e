//! How often and how long after a failure the same place is asked again.
//!
//! Runs in the shell command's process, in the registry thread.

use std::time::Duration;

use super::failure::Failure;

/// Requests for one thing to one place before it counts as failed.
const MOST_TRIES: u32 = 5;

/// First pause; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Longest time we let a registry make us wait; beyond it, the user should know.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Counts the tries of one thing at one place.
#[derive(Default)]
pub(super) struct Tries {
    failed: u32,
}

impl Tries {
    /// Forgets the failures so far: there was progress.
    pub(super) fn reset(&mut self) {
        self.failed = 0;
    }

    /// Returns how long to wait before trying again, or `None` if that is pointless.
    pub(super) fn pause_after(&mut self, failure: &Failure) -> Option<Duration> {
        self.failed += 1;
        if !failure.is_passing() || self.failed >= MOST_TRIES {
            return None;
        }
        let asked = match failure {
            Failure::Busy { after, .. } => *after,
            _ => None,
        };
        let pause = asked.unwrap_or_else(|| FIRST_PAUSE * (1 << (self.failed - 1)));
        (pause <= LONGEST_PAUSE).then(|| pause + jitter(pause))
    }
}

/// Up to a quarter of the pause, so that many hosts that failed together do not come back together.
fn jitter(pause: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or(0);
    pause.mul_f64(0.25 * f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_is_waited_for_as_long_as_it_asks_and_not_for_ever() {
        let busy =
            |seconds| Failure::Busy { status: 429, after: Some(Duration::from_secs(seconds)), who: String::new() };
        let pause = Tries::default().pause_after(&busy(7)).unwrap();
        assert!((7.0..=8.75).contains(&pause.as_secs_f64()), "{pause:?}");
        assert_eq!(Tries::default().pause_after(&busy(3600)), None);
        assert_eq!(Tries::default().pause_after(&Failure::Denied(String::new())), None);
        let mut tries = Tries::default();
        let broken = Failure::Broken(String::new());
        let pauses = (0..10).map_while(|_| tries.pause_after(&broken)).count();
        assert_eq!(pauses, 4);
    }
}
