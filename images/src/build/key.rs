//! The key of a step: a digest of everything that its result depends on.
//!
//! Runs in the shell command's process; pure.

use sha2::{Digest as _, Sha256};

use crate::digest::Digest;

/// A key being put together. Each part is hashed with its length, so that no two lists of parts give the same key.
#[derive(Debug)]
pub(crate) struct Key {
    hasher: Sha256,
}

impl Key {
    /// Starts the key of a step of this kind.
    pub(crate) fn new(kind: &str) -> Key {
        Key { hasher: Sha256::new() }.text("lighter build 1").text(kind)
    }

    /// Adds a text.
    pub(crate) fn text(mut self, text: &str) -> Key {
        self.hasher.update((text.len() as u64).to_le_bytes());
        self.hasher.update(text.as_bytes());
        self
    }

    /// Adds a list of texts.
    pub(crate) fn texts<'a>(self, texts: impl IntoIterator<Item = &'a str>) -> Key {
        let texts: Vec<&str> = texts.into_iter().collect();
        let count = texts.len().to_string();
        texts.into_iter().fold(self.text(&count), Key::text)
    }

    /// Returns the key.
    pub(crate) fn finish(self) -> Digest {
        Digest::finish(self.hasher)
    }
}

/// Returns what stands for a root file system in keys: the chain ID of its layers, which says their content.
pub(crate) fn chain<'a>(diff_ids: impl IntoIterator<Item = &'a Digest>) -> Option<Digest> {
    diff_ids.into_iter().fold(None, |below: Option<Digest>, diff_id| {
        Some(below.map_or_else(|| diff_id.clone(), |below| Digest::of(format!("{below} {diff_id}").as_bytes())))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_lists_of_parts_give_the_same_key() {
        let keys = [
            Key::new("a").texts(["bc", "d"]).finish(),
            Key::new("a").texts(["b", "cd"]).finish(),
            Key::new("a").texts(["bc"]).text("d").finish(),
            Key::new("a").texts([]).text("bcd").finish(),
            Key::new("ab").texts(["c", "d"]).finish(),
        ];
        for (position, key) in keys.iter().enumerate() {
            assert!(!keys[..position].contains(key));
        }
    }
}
