//! When a container that ended starts again. Pure.

use std::time::Duration;

use crate::spec::RestartPolicy;

/// First pause before a restart: 100 ms, as Docker documents it.
const FIRST: Duration = Duration::from_millis(100);
/// Longest pause: 1 min, as Docker documents it.
const LONGEST: Duration = Duration::from_secs(60);
/// A run of at least this long makes the next pause short again: 10 s, as Docker documents it.
const GOOD_RUN: Duration = Duration::from_secs(10);

/// The growing pause between restarts.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    next: Option<Duration>,
}

impl Backoff {
    /// Returns the pause after a run of this length.
    pub(super) fn pause(&mut self, run: Duration) -> Duration {
        let pause = match self.next {
            Some(next) if run < GOOD_RUN => next,
            _ => FIRST,
        };
        self.next = Some((pause * 2).min(LONGEST));
        pause
    }
}

/// Returns whether a container that ended with `exit_code` starts again.
pub(crate) fn wanted(policy: RestartPolicy, exit_code: i32, restarts: u32, stopped_by_user: bool) -> bool {
    match policy {
        _ if stopped_by_user => false,
        RestartPolicy::No => false,
        RestartPolicy::Always | RestartPolicy::UnlessStopped => true,
        RestartPolicy::OnFailure { max } => exit_code != 0 && max.is_none_or(|max| restarts < max),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_and_a_good_run_makes_them_short_again() {
        let mut backoff = Backoff::default();
        let pauses: Vec<_> = (0..12).map(|_| backoff.pause(Duration::ZERO).as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 60000]);
        assert_eq!(backoff.pause(Duration::from_secs(11)).as_millis(), 100);
    }

    #[test]
    fn policies_decide_by_exit_code_count_and_the_users_wish() {
        let three = RestartPolicy::OnFailure { max: Some(3) };
        assert!(!wanted(RestartPolicy::No, 1, 0, false));
        assert!(wanted(RestartPolicy::Always, 0, 99, false));
        assert!(!wanted(RestartPolicy::Always, 0, 0, true));
        assert!(wanted(three, 1, 2, false) && !wanted(three, 1, 3, false) && !wanted(three, 0, 0, false));
    }
}
