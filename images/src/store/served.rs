//! What `registry serve` does to the index: documents that are pushed and deleted, and blobs that wait for their document.
//!
//! Runs in the shell command's process, under the store's lock. A pushed image is an entry like that of a pull, whose name is
//! the one it was pushed by; whatever is no image of this host is an entry without a configuration.

use super::Store;
use super::error::StoreError;
use super::index::{Entry, Index};
use super::lease::{Lease, Needs};
use crate::digest::Digest;
use crate::reference::Reference;

/// What became of a document that was to be deleted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Deleted {
    /// It is gone.
    Gone,
    /// There was none.
    Unknown,
    /// It stays, because of this user of its image.
    InUse(String),
}

impl Store {
    /// Takes a lease on nothing yet, for blobs that come before the document that needs them.
    pub(crate) fn begin_push(&self) -> Result<Lease, StoreError> {
        let _lock = self.lock()?;
        Lease::take(&self.leases(), &Needs::default())
    }

    /// Says what a lease of [`Store::begin_push`] is on from now on.
    pub(crate) fn renew(&self, lease: &Lease, needs: &Needs) -> Result<(), StoreError> {
        let _lock = self.lock()?;
        lease.replace(needs)
    }

    /// Adds an entry and makes everything durable that it needs, whose blobs the caller's lease keeps.
    ///
    /// `absorbed` are documents of the same repository that it has from now on, so they need no entry of their own.
    pub(crate) fn push(&self, reference: &Reference, entry: Entry, absorbed: &[Digest]) -> Result<(), StoreError> {
        self.sync()?;
        let _lock = self.lock()?;
        let mut index = Index::read(&self.images)?;
        index.manifests.retain(|other| !(other.is_document_beside(reference) && absorbed.contains(&other.digest)));
        match entry.id() {
            Some(_) => _ = index.set(reference, entry),
            None => index.set_document(reference, entry),
        }
        index.write(&self.images)
    }

    /// Takes a tag away; what it named stays under its digest. Returns whether there was one.
    pub(crate) fn delete_tag(&self, reference: &Reference) -> Result<bool, StoreError> {
        let _lock = self.lock()?;
        let mut index = Index::read(&self.images)?;
        let Some(entry) = index.manifests.iter_mut().find(|entry| entry.reference().as_ref() == Some(reference)) else {
            return Ok(false);
        };
        entry.untag();
        index.drop_doubles();
        index.write(&self.images)?;
        Ok(true)
    }

    /// Takes away the document that `reference` names by its digest, with all its tags, and what nothing else needs.
    pub(crate) fn delete_document(
        &self,
        reference: &Reference,
        in_use: &dyn Fn(&Digest) -> Option<String>,
    ) -> Result<Deleted, StoreError> {
        let lock = self.lock()?;
        let mut index = Index::read(&self.images)?;
        let is_it = |entry: &Entry| entry.answers_to(reference);
        let Some(first) = index.manifests.iter().find(|entry| is_it(entry)) else { return Ok(Deleted::Unknown) };
        let id = first.id();
        let is_last =
            |id: &Digest| !index.manifests.iter().any(|entry| !is_it(entry) && entry.id().as_ref() == Some(id));
        if let Some(user) = id.filter(is_last).and_then(|id| in_use(&id)) {
            return Ok(Deleted::InUse(user));
        }
        index.manifests.retain(|entry| !is_it(entry));
        index.write(&self.images)?;
        let swept = self.sweep(&index)?;
        drop(lock);
        swept.finish()?;
        Ok(Deleted::Gone)
    }

    /// Takes out what neither an image nor a lease needs.
    pub(crate) fn sweep_unneeded(&self) -> Result<(), StoreError> {
        let lock = self.lock()?;
        let swept = self.sweep(&Index::read(&self.images)?)?;
        drop(lock);
        swept.finish()
    }
}
