//! What happens when a container ends by itself.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Docker's four restart policies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestartPolicy {
    /// It stays ended.
    #[default]
    No,
    /// It starts again, whatever its exit status; after a reboot too.
    Always,
    /// As `Always`, but a container that the user stopped stays stopped after a reboot.
    UnlessStopped,
    /// It starts again when it failed.
    OnFailure {
        /// At most this many times in a row; `None` = without end.
        max: Option<u32>,
    },
}

/// A text that names no restart policy.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no restart policy: use `no`, `always`, `unless-stopped` or `on-failure[:N]`")]
pub struct UnknownRestartPolicy(String);

impl FromStr for RestartPolicy {
    type Err = UnknownRestartPolicy;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, max) = text.split_once(':').map_or((text, None), |(name, max)| (name, Some(max)));
        match (name, max) {
            ("no" | "", None) => Ok(Self::No),
            ("always", None) => Ok(Self::Always),
            ("unless-stopped", None) => Ok(Self::UnlessStopped),
            ("on-failure", None) => Ok(Self::OnFailure { max: None }),
            ("on-failure", Some(max)) => max
                .parse()
                .map(|max| Self::OnFailure { max: Some(max).filter(|max| *max > 0) })
                .map_err(|_| UnknownRestartPolicy(text.to_owned())),
            _ => Err(UnknownRestartPolicy(text.to_owned())),
        }
    }
}

impl fmt::Display for RestartPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::No => f.write_str("no"),
            Self::Always => f.write_str("always"),
            Self::UnlessStopped => f.write_str("unless-stopped"),
            Self::OnFailure { max: None } => f.write_str("on-failure"),
            Self::OnFailure { max: Some(max) } => write!(f, "on-failure:{max}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_read_back_as_written() {
        for text in ["no", "always", "unless-stopped", "on-failure", "on-failure:3"] {
            assert_eq!(text.parse::<RestartPolicy>().unwrap().to_string(), text);
        }
        assert!("sometimes".parse::<RestartPolicy>().is_err());
        assert!("always:3".parse::<RestartPolicy>().is_err());
    }
}
