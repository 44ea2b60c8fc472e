//! Finds an image by whatever a user may call it.
//!
//! Runs in the shell command's process. Order as Docker has it: a whole id, a name, the beginning of an id.

use super::Store;
use super::error::StoreError;
use super::index::{Entry, Index};
use crate::digest::{Digest, is_lower_hex};
use crate::reference::Reference;

/// What a text turned out to name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Match {
    /// An image by its name.
    Name(Digest, Reference),
    /// An image by its id.
    Id(Digest),
}

impl Match {
    /// Returns the image's id.
    pub(super) fn id(&self) -> &Digest {
        match self {
            Match::Name(id, _) | Match::Id(id) => id,
        }
    }
}

impl Store {
    /// Finds what `name` means among the images of `index`.
    pub(super) fn lookup(index: &Index, name: &str) -> Result<Option<Match>, StoreError> {
        if let Some(id) = whole_id(name) {
            return Ok(index.manifests.iter().filter_map(Entry::id).find(|other| *other == id).map(Match::Id));
        }
        let parsed = name.parse::<Reference>();
        if let Ok(reference) = &parsed {
            let reference = reference.without_ignored_tag();
            if let Some(id) = index.manifests.iter().find(|entry| has_name(entry, &reference)).and_then(Entry::id) {
                return Ok(Some(Match::Name(id, reference)));
            }
        }
        match (by_prefix(index, name)?, parsed) {
            (Some(id), _) => Ok(Some(Match::Id(id))),
            (None, Err(error)) => Err(error.into()),
            (None, Ok(_)) => Ok(None),
        }
    }
}

fn whole_id(name: &str) -> Option<Digest> {
    name.parse().or_else(|_| format!("sha256:{name}").parse()).ok()
}

/// An entry answers to its name, and to its repository with the digest of its manifest or of what was served.
pub(super) fn has_name(entry: &Entry, reference: &Reference) -> bool {
    if entry.reference().is_some_and(|own| own == *reference) {
        return true;
    }
    let (Some(digest), Some(served)) = (reference.digest(), entry.repo_digest()) else { return false };
    let is_same_repository = served.name() == reference.name();
    is_same_repository && (served.digest() == Some(digest) || entry.digest == *digest)
}

fn by_prefix(index: &Index, name: &str) -> Result<Option<Digest>, StoreError> {
    let prefix = name.strip_prefix("sha256:").unwrap_or(name);
    if prefix.is_empty() || !is_lower_hex(prefix) {
        return Ok(None);
    }
    let mut ids: Vec<Digest> = index.manifests.iter().filter_map(Entry::id).collect();
    ids.retain(|id| id.hex().starts_with(prefix));
    ids.sort();
    ids.dedup();
    if ids.len() > 1 { Err(StoreError::Ambiguous { prefix: name.to_owned(), ids }) } else { Ok(ids.pop()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> Index {
        let mut index = Index::empty();
        for (image, name) in [("a", "redis:7"), ("b", "127.0.0.1:5000/x")] {
            let (id, reference) = (Digest::of(image.as_bytes()), name.parse().unwrap());
            let entry = Entry::new(String::new(), Digest::of(&[image.as_bytes(), b"-manifest"].concat()), 1, None);
            index.set(&reference, entry.named(&id, &reference, &Digest::of(b"index")));
        }
        index
    }

    fn found(name: &str) -> Option<&'static str> {
        let found = Store::lookup(&index(), name).unwrap()?;
        ["a", "b"].into_iter().find(|image| Digest::of(image.as_bytes()) == *found.id())
    }

    #[test]
    fn an_image_answers_to_its_names_its_digests_and_its_id() {
        let (id, served, manifest) = (Digest::of(b"a"), Digest::of(b"index"), Digest::of(b"a-manifest"));
        for name in ["redis:7", "docker.io/library/redis:7", id.as_str(), id.hex(), id.short(), &id.to_string()[..20]] {
            assert_eq!(found(name), Some("a"), "{name}");
        }
        assert_eq!(found(&format!("redis@{served}")), Some("a"));
        assert_eq!(found(&format!("redis:6@{manifest}")), Some("a"));
        assert_eq!(found(&format!("127.0.0.1:5000/x@{served}")), Some("b"));
        for name in ["redis", "redis:8", "x", &format!("other@{served}"), &"0".repeat(64)] {
            assert_eq!(found(name), None, "{name}");
        }
        assert!(matches!(Store::lookup(&index(), "UPPER"), Err(StoreError::Name(_))));
    }
}
