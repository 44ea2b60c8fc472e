//! When an image is pulled: the decision, apart from doing it.
//!
//! Runs in the shell command's process; pure. The words are those of `pull_policy` (Compose Specification, 05-services).

use std::str::FromStr;
use std::time::{Duration, SystemTime};

/// One day.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// When an image is pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PullPolicy {
    /// When it is not in the store.
    #[default]
    Missing,
    /// At every occasion.
    Always,
    /// Never.
    Never,
    /// It is built, not pulled.
    Build,
    /// When the last pull is older than this.
    Every(Duration),
}

/// Whether the store has an image under the name in question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It has not.
    Absent,
    /// It has.
    Present {
        /// When the name was last looked up at a registry; `None` if the image came another way.
        pulled: Option<SystemTime>,
    },
}

/// Why a text is not a pull policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "pull policy `{0}` is none of `always`, `missing`, `never`, `if_not_present`, `build`, `daily`, `weekly`, \
     `every_<duration>` such as `every_12h`"
)]
pub struct PolicyError(String);

impl PullPolicy {
    /// Decides whether to pull now.
    pub fn must_pull(self, presence: Presence, now: SystemTime) -> bool {
        match (self, presence) {
            (PullPolicy::Never | PullPolicy::Build, _) => false,
            (PullPolicy::Always, _) | (PullPolicy::Missing | PullPolicy::Every(_), Presence::Absent) => true,
            (PullPolicy::Missing, Presence::Present { .. }) => false,
            (PullPolicy::Every(_), Presence::Present { pulled: None }) => true,
            (PullPolicy::Every(period), Presence::Present { pulled: Some(pulled) }) => {
                // A pull in the future was made by a clock that has been put right since.
                now.duration_since(pulled).map_or(true, |age| age >= period)
            }
        }
    }
}

impl FromStr for PullPolicy {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<PullPolicy, PolicyError> {
        Ok(match text {
            "missing" | "if_not_present" => PullPolicy::Missing,
            "always" => PullPolicy::Always,
            "never" => PullPolicy::Never,
            "build" => PullPolicy::Build,
            "daily" => PullPolicy::Every(DAY),
            "weekly" => PullPolicy::Every(DAY * 7),
            other => {
                let period = other.strip_prefix("every_").and_then(period);
                PullPolicy::Every(period.ok_or_else(|| PolicyError(text.to_owned()))?)
            }
        })
    }
}

/// Reads `1w2d3h4m5s`: numbers with units, at least one.
fn period(text: &str) -> Option<Duration> {
    let (mut total, mut rest) = (0u64, text);
    while !rest.is_empty() {
        let digits = rest.find(|char: char| !char.is_ascii_digit())?;
        let (number, after) = rest.split_at(digits);
        let seconds = match after.chars().next()? {
            'w' => 7 * 24 * 60 * 60,
            'd' => 24 * 60 * 60,
            'h' => 60 * 60,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(seconds)?)?;
        rest = &after[1..];
    }
    (!text.is_empty()).then(|| Duration::from_secs(total))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn policy(text: &str) -> PullPolicy {
        text.parse().unwrap()
    }

    #[test]
    fn composes_words_are_read() {
        assert_eq!(policy("if_not_present"), policy("missing"));
        assert_eq!(policy("weekly"), policy("every_7d"));
        assert_eq!(policy("every_1d2h3m4s"), PullPolicy::Every(DAY + Duration::from_secs(2 * 3600 + 184)));
        for text in ["", "Always", "every_", "every_x", "every_5", "every_-1h", "every_5y", "every_99999999999999999w"]
        {
            assert_eq!(text.parse::<PullPolicy>(), Err(PolicyError(text.to_owned())));
        }
    }

    #[test]
    fn each_policy_decides_by_what_there_is_and_how_old_it_is() {
        let time = |text: &str| SystemTime::from(text.parse::<jiff::Timestamp>().unwrap());
        let now = time("2026-01-10T00:00:00Z");
        let present = |pulled: Option<&str>| Presence::Present { pulled: pulled.map(time) };
        let cases = [
            Presence::Absent,
            present(None),
            present(Some("2026-01-09T12:00:01Z")),
            present(Some("2026-01-09T12:00:00Z")),
            present(Some("2026-02-01T00:00:00Z")),
        ];
        let decisions = |text| cases.map(|presence| policy(text).must_pull(presence, now));
        assert_eq!(decisions("always"), [true; 5]);
        assert_eq!(decisions("never"), [false; 5]);
        assert_eq!(decisions("build"), [false; 5]);
        assert_eq!(decisions("missing"), [true, false, false, false, false]);
        assert_eq!(decisions("every_12h"), [true, true, false, true, true]);
    }

    proptest! {
        #[test]
        fn any_text_is_a_policy_or_refused(text in "(every_)?\\PC{0,12}") {
            let _ = text.parse::<PullPolicy>();
        }
    }
}
