//! `tag`: a further name for an image.
//!
//! Runs in the shell command's process, under the store's lock.

use super::error::StoreError;
use super::index::{Entry, Index};
use super::{Image, Store};
use crate::reference::Reference;

impl Store {
    /// Gives the image that `source` means the name `target`; what had that name before keeps its id only.
    ///
    /// # Errors
    /// [`StoreError::NoSuchImage`], [`StoreError::Ambiguous`]; [`StoreError::NotATag`] if `target` has a digest.
    pub fn tag(&self, source: &str, target: &Reference) -> Result<Image, StoreError> {
        if target.digest().is_some() {
            return Err(StoreError::NotATag(target.familiar()));
        }
        let _lock = self.lock()?;
        let mut index = Index::read(&self.images)?;
        let found = Store::lookup(&index, source)?.ok_or_else(|| StoreError::NoSuchImage(source.to_owned()))?;
        if let Some(entry) = chosen(&index, &found).cloned()
            && index.set(target, entry.called(target))
        {
            index.write(&self.images)?;
        }
        self.load(&index, found.id())
    }
}

/// The entry of the name that was given, which may be of another manifest than the image's other names.
fn chosen<'a>(index: &'a Index, found: &super::find::Match) -> Option<&'a Entry> {
    let of_image = || index.manifests.iter().filter(|entry| entry.id().as_ref() == Some(found.id()));
    let named = match found {
        super::find::Match::Name(_, reference) => {
            of_image().find(|entry| entry.reference().as_ref() == Some(reference))
        }
        super::find::Match::Id(_) => None,
    };
    named.or_else(|| of_image().next())
}
