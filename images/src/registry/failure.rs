//! What can go wrong with registries: of one request, of one place, of the whole look-up.
//!
//! Runs in the shell command's process.

use std::fmt;
use std::time::Duration;

use super::credentials::CredentialError;
use crate::digest::Digest;

/// Longest text of a registry's answer that an error repeats, in characters.
const LONGEST_MESSAGE: usize = 300;

/// Why one request failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    /// No connection, or none that TLS accepts.
    #[error("{0}")]
    Unreachable(String),
    /// The connection broke or stalled.
    #[error("{0}")]
    Broken(String),
    /// 404, or an error code that means it.
    #[error("not found")]
    NotFound(Missing),
    /// 401 or 403.
    #[error("access denied{0}")]
    Denied(String),
    /// 429 or 503 with a time to wait, or without.
    #[error("answers {status}{}{who}", .after.map_or(String::new(), |after| format!(" and asks to wait {} s", after.as_secs())))]
    Busy {
        /// The status line's number.
        status: u16,
        /// `Retry-After`, RFC 9110 section 10.2.3.
        after: Option<Duration>,
        /// As whom we asked, if the place wanted to know: limits differ.
        who: String,
    },
    /// Any other status.
    #[error("answers {status}{message}")]
    Status {
        /// The status line's number.
        status: u16,
        /// What the registry says, if anything, after a colon.
        message: String,
    },
    /// The answer breaks the protocol, or one of our limits.
    #[error("{0}")]
    Protocol(String),
    /// What came is not what its digest says.
    #[error("content has digest `{actual}` instead of `{expected}`")]
    Corrupt { expected: Digest, actual: Digest },
}

/// What a registry says is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// The repository.
    Repository,
    /// The tag, manifest or blob; also when it does not say.
    Content,
}

impl Failure {
    /// Tells whether asking the same place again may help.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Failure::Broken(_) | Failure::Busy { .. } => true,
            Failure::Status { status, .. } => *status >= 500,
            _ => false,
        }
    }
}

/// What one place answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Host and port.
    pub host: String,
    /// The place, as messages name it: "mirror `http://127.0.0.1:5000`".
    pub place: String,
    /// Why it did not serve.
    pub cause: String,
}

impl fmt::Display for Attempt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place, self.cause)
    }
}

/// Why a reference or a blob of it cannot be had.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RegistryError {
    /// No place answered as it should.
    #[error("no registry serves `{wanted}`: {}", list(.attempts))]
    Unserved {
        /// The reference or blob.
        wanted: String,
        /// Every place asked, in order.
        attempts: Vec<Attempt>,
    },
    /// The repository is there and the tag is not.
    #[error("no such tag `{tag}` in `{repository}`{}", after(.attempts))]
    NoSuchTag {
        /// The tag.
        tag: String,
        /// The repository, in familiar form.
        repository: String,
        /// Places that failed otherwise.
        attempts: Vec<Attempt>,
    },
    /// The repository is there and the manifest is not.
    #[error("no such manifest `{digest}` in `{repository}`{}", after(.attempts))]
    NoSuchManifest {
        /// The digest.
        digest: Digest,
        /// The repository, in familiar form.
        repository: String,
        /// Places that failed otherwise.
        attempts: Vec<Attempt>,
    },
    /// The registry does not know the repository.
    #[error("no such repository `{repository}`{}", after(.attempts))]
    NoSuchRepository {
        /// The repository, in familiar form.
        repository: String,
        /// Places that failed otherwise.
        attempts: Vec<Attempt>,
    },
    /// The registry wants to know who asks, or does not say whether the repository exists.
    #[error("`{repository}` does not exist, or reading it needs a login: {}", list(.attempts))]
    Denied {
        /// The repository, in familiar form.
        repository: String,
        /// Every place asked, in order.
        attempts: Vec<Attempt>,
    },
    /// What came is not what its digest says.
    #[error("manifest `{expected}` is corrupt: content has digest `{actual}`")]
    Corrupt {
        /// The digest asked for, or announced by the registry.
        expected: Digest,
        /// The digest of what came.
        actual: Digest,
    },
    /// The registry does not take something.
    #[error("{act}: {attempt}")]
    Refused {
        /// What was tried, with its object.
        act: String,
        /// The place, and what it said.
        attempt: Attempt,
    },
    /// The registry does not take a login, or nobody could ask it.
    #[error("log in to `{domain}`: {}", list(.attempts))]
    Login {
        /// The registry.
        domain: String,
        /// Every way tried, in order.
        attempts: Vec<Attempt>,
    },
    /// A login cannot be looked up, kept or forgotten.
    #[error(transparent)]
    Credentials(#[from] CredentialError),
    /// This side cannot talk to registries at all.
    #[error("set up the connection to registries: {0}")]
    Setup(String),
}

fn list(attempts: &[Attempt]) -> String {
    attempts.iter().map(Attempt::to_string).collect::<Vec<_>>().join("; ")
}

fn after(attempts: &[Attempt]) -> String {
    if attempts.is_empty() { String::new() } else { format!(" ({})", list(attempts)) }
}

/// Prepares a registry's text for a message: one line, no control characters, not too long; with a colon before it.
pub(super) fn said(text: &str) -> String {
    let line: String = text.trim().chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    let short: String = line.chars().take(LONGEST_MESSAGE).collect();
    if short.is_empty() { short } else { format!(": {short}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registrys_text_cannot_steer_the_terminal() {
        assert_eq!(said("bad\u{1b}[31m\nnews\r"), ": bad [31m news");
        assert_eq!(said(" \n"), "");
        assert_eq!(said(&"x".repeat(1000)).len(), LONGEST_MESSAGE + 2);
    }
}
