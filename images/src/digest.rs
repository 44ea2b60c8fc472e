//! Content digests: the only names by which the store finds a file.
//!
//! Runs in the shell command's process. A [`Digest`] is always 64 lower-case hexadecimal digits of SHA-256, so it can be
//! used as a file name without any further check.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// The prefix of every digest we accept (OCI image-spec, descriptor.md, "Registered algorithms").
const PREFIX: &str = "sha256:";

/// Length of the hexadecimal part of a SHA-256 digest.
const HEX_LENGTH: usize = 64;

/// The SHA-256 digest of some content.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    /// The whole text, `sha256:` and the digits.
    text: String,
}

/// Why a text is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// There is no algorithm before a colon.
    #[error("digest `{0}` names no algorithm")]
    NoAlgorithm(String),
    /// The algorithm is one we cannot compute.
    #[error("digest `{0}` uses an algorithm other than sha256")]
    Unsupported(String),
    /// What follows the algorithm is not 64 lower-case hexadecimal digits.
    #[error("digest `{0}` is not 64 lower-case hexadecimal digits")]
    Malformed(String),
}

impl Digest {
    /// Returns the digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Digest {
        Digest::from_hash(&Sha256::digest(bytes))
    }

    /// Returns the digest of everything `hasher` has seen.
    pub(crate) fn finish(hasher: Sha256) -> Digest {
        Digest::from_hash(&hasher.finalize())
    }

    fn from_hash(hash: &[u8]) -> Digest {
        Digest { text: format!("{PREFIX}{}", hex::encode(hash)) }
    }

    /// Returns the 64 hexadecimal digits.
    pub fn hex(&self) -> &str {
        &self.text[PREFIX.len()..]
    }

    /// Returns the first 12 hexadecimal digits, the short id shown in tables.
    pub fn short(&self) -> &str {
        &self.hex()[..12]
    }

    /// Returns the whole text, `sha256:` and the digits.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Digest, DigestError> {
        let Some((algorithm, digits)) = text.split_once(':') else {
            return Err(DigestError::NoAlgorithm(text.to_owned()));
        };
        if algorithm != "sha256" {
            return Err(DigestError::Unsupported(text.to_owned()));
        }
        if digits.len() != HEX_LENGTH || !is_lower_hex(digits) {
            return Err(DigestError::Malformed(text.to_owned()));
        }
        Ok(Digest { text: text.to_owned() })
    }
}

/// Tells whether `text` consists of lower-case hexadecimal digits only.
pub(crate) fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_reads_back_as_it_was_written() {
        let digest = Digest::of(b"");
        assert_eq!(digest.as_str(), "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(digest.to_string().parse(), Ok(digest.clone()));
        assert_eq!(digest.short(), "e3b0c44298fc");
    }

    #[test]
    fn a_text_that_could_leave_the_store_is_no_digest() {
        for text in ["", "sha256", "sha256:", "sha256:../../x", "sha512:", "md5:d41d8cd98f00b204e9800998ecf8427e"] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
        let upper = Digest::of(b"").to_string().to_uppercase().replace("SHA256", "sha256");
        assert_eq!(upper.parse::<Digest>(), Err(DigestError::Malformed(upper)));
    }
}
