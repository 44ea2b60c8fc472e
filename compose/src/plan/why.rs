//! Why a step is in a plan.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The reason for a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It is not there.
    Missing,
    /// It differs from the file: one line for each field.
    Changed(Vec<String>),
    /// Its image is another one now.
    Image {
        /// The id it was made from.
        from: String,
        /// The id it would be made from.
        to: String,
    },
    /// The user asked for it.
    Asked,
    /// It does not run.
    NotRunning,
    /// There are more of it than wanted.
    TooMany,
    /// Its service is not in the file any more.
    Orphan,
    /// Something it hangs on is made anew.
    Follows(String),
    /// Its service wants to be restarted with another one.
    RestartsWith(String),
    /// Somebody waits for it.
    Needed(Vec<String>),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("not there yet"),
            Self::Changed(fields) => f.write_str(&fields.join("; ")),
            Self::Image { from, to } => write!(f, "image {} → {}", short(from), short(to)),
            Self::Asked => f.write_str("asked for"),
            Self::NotRunning => f.write_str("not running"),
            Self::TooMany => f.write_str("more than wanted"),
            Self::Orphan => f.write_str("its service is not in the file"),
            Self::Follows(what) => write!(f, "{what} is made anew"),
            Self::RestartsWith(service) => write!(f, "restarts with service {service}"),
            Self::Needed(who) => write!(f, "needed by {}", who.join(", ")),
        }
    }
}

/// Shortens an image id as people see it.
fn short(id: &str) -> &str {
    let digits = id.strip_prefix("sha256:").unwrap_or(id);
    digits.get(..12).unwrap_or(digits)
}
