//! Deletion: of what was pushed, and of nothing else.
//!
//! Runs in the shell command's process, on a thread that may wait for the disk. What this host pulled for itself is not a
//! client's to take away.

use hyper::StatusCode;

use super::pull::no_blob;
use super::registry::{Place, Registry};
use super::reply::{Answer, Refusal, code, empty};
use super::route::Wanted;
use crate::digest::Digest;
use crate::store::Deleted;

impl Registry {
    /// Takes away a tag, or a document with all its tags.
    pub(super) fn delete_manifest(&self, place: &Place, wanted: &Wanted) -> Answer {
        self.writable()?;
        let deleted = match wanted {
            Wanted::Tag(tag) => match self.store.delete_tag(&place.pushed(&format!(":{tag}"))?)? {
                true => Deleted::Gone,
                false => Deleted::Unknown,
            },
            Wanted::Digest(digest) => {
                let in_use = |id: &Digest| self.host.user_of(id);
                self.store.delete_document(&place.pushed(&format!("@{digest}"))?, &in_use)?
            }
        };
        match deleted {
            Deleted::Gone => Ok(empty(StatusCode::ACCEPTED, [])),
            Deleted::InUse(user) => Err(denied(format!("the image is in use by {user}"))),
            Deleted::Unknown => Err(self.why_not(place, wanted)),
        }
    }

    /// Says why there was nothing to delete.
    fn why_not(&self, place: &Place, wanted: &Wanted) -> Refusal {
        match self.manifest(place, wanted, &hyper::HeaderMap::new()) {
            Ok(_) => denied("it was not pushed here by this name, or is part of an index".to_owned()),
            Err(refusal) => refusal,
        }
    }

    /// Gives up a blob that waits for its document; one that a document needs goes with that.
    pub(super) fn delete_blob(&self, digest: &Digest) -> Answer {
        self.writable()?;
        let catalog = self.catalog()?;
        self.size(&catalog, digest).ok_or_else(|| no_blob(digest))?;
        if catalog.blobs.contains_key(digest) {
            return Err(Refusal::not_allowed("the blob goes with the last manifest that needs it"));
        }
        if self.claims.release(&self.store, std::slice::from_ref(digest))? {
            self.store.sweep_unneeded()?;
        }
        Ok(empty(StatusCode::ACCEPTED, []))
    }
}

fn denied(message: String) -> Refusal {
    Refusal::new(StatusCode::FORBIDDEN, code::DENIED, message)
}
