//! One image of an image layout that is a folder: what a build may start from (`--build-context NAME=oci-layout://FOLDER`).
//!
//! Runs in the shell command's process.

use std::fmt;
use std::path::{Path, PathBuf};

use super::documents::find_in_layout;
use super::error::ArchiveError;
use super::load::enter;
use super::members::Members;
use crate::digest::{Digest, DigestError};
use crate::platform::Platform;
use crate::progress::Silent;
use crate::store::{Image, Store};

/// Which image of a layout is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LayoutImage {
    /// The one with this tag.
    Tag(String),
    /// The one with this digest of manifest or index.
    Digest(Digest),
    /// The only one, or else the one with the tag `latest`.
    Only,
}

impl LayoutImage {
    /// Splits `FOLDER`, `FOLDER:TAG` or `FOLDER@DIGEST`.
    ///
    /// # Errors
    /// What follows the `@` is no digest.
    pub fn split(text: &str) -> Result<(PathBuf, LayoutImage), DigestError> {
        if let Some((folder, digest)) = text.split_once('@') {
            return Ok((folder.into(), LayoutImage::Digest(digest.parse()?)));
        }
        Ok(match text.rsplit_once(':') {
            Some((folder, tag)) if !tag.contains('/') => (folder.into(), LayoutImage::Tag(tag.to_owned())),
            _ => (text.into(), LayoutImage::Only),
        })
    }
}

impl fmt::Display for LayoutImage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LayoutImage::Tag(tag) => write!(formatter, "image with the tag {tag}"),
            LayoutImage::Digest(digest) => write!(formatter, "image {digest}"),
            LayoutImage::Only => write!(formatter, "image with the tag latest"),
        }
    }
}

/// Brings an image of a layout into the store, without a name.
pub(crate) fn load_layout(
    store: &Store,
    folder: &Path,
    image: &LayoutImage,
    platform: &Platform,
) -> Result<Image, ArchiveError> {
    let found = find_in_layout(&Members::of_folder(folder.to_owned()), image, platform)?;
    let mut loaded = enter(store, vec![found], &Silent)?;
    Ok(loaded.remove(0).image)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_or_a_digest_may_follow_the_folder() {
        let digest = Digest::of(b"x");
        let table = [
            ("/a/b", "/a/b", LayoutImage::Only),
            ("a:1.0", "a", LayoutImage::Tag("1.0".into())),
            ("./a:b/c", "./a:b/c", LayoutImage::Only),
            (&format!("a@{digest}"), "a", LayoutImage::Digest(digest.clone())),
        ];
        for (text, folder, image) in table {
            assert_eq!(LayoutImage::split(text), Ok((PathBuf::from(folder), image)), "{text}");
        }
        assert!(LayoutImage::split("a@sha256:1").is_err());
    }
}
