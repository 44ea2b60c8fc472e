//! The registry behind the connections: the store, what is known of it, and what is under way.
//!
//! Runs in the shell command's process; shared by all connections.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::claims::Claims;
use super::host::Host;
use super::names;
use super::reply::{Refusal, code};
use super::uploads::Uploads;
use crate::digest::Digest;
use crate::reference::Reference;
use crate::store::{Catalog, Repository, Stamp, Store, StoreError};

/// How often what nobody wants any more is looked for.
pub(super) const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// Everything that requests share.
pub(super) struct Registry {
    pub(super) store: Store,
    pub(super) is_read_only: bool,
    pub(super) host: Arc<dyn Host>,
    pub(super) claims: Claims,
    pub(super) uploads: Uploads,
    known: Mutex<Option<(Stamp, Arc<Catalog>)>>,
}

/// A repository as a client names it.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) name: String,
    /// Names in the store, the one for what is pushed first.
    stored: Vec<String>,
}

impl Place {
    /// Takes the name of a path that was read.
    pub(super) fn new(name: String, upstream: Option<&str>) -> Result<Place, Refusal> {
        match names::stored(&name, upstream) {
            Some(stored) => Ok(Place { name, stored }),
            None => Err(Refusal::bad(code::NAME_INVALID, format!("`{name}` is not a valid repository name"))),
        }
    }

    /// Returns the reference in the store of what is pushed here; `suffix` is `:TAG` or `@DIGEST`.
    pub(super) fn pushed(&self, suffix: &str) -> Result<Reference, Refusal> {
        let text = format!("{}{suffix}", self.stored.first().map_or("", String::as_str));
        text.parse().map_err(|_| Refusal::bad(code::MANIFEST_INVALID, format!("`{suffix}` is not a valid tag")))
    }

    /// Returns the repositories of `catalog` that this is, in order of precedence.
    pub(super) fn repositories<'a>(&self, catalog: &'a Catalog) -> Vec<&'a Repository> {
        self.stored.iter().filter_map(|name| catalog.repositories.get(name)).collect()
    }
}

impl Registry {
    pub(super) fn new(store: Store, is_read_only: bool, host: Arc<dyn Host>) -> Registry {
        let (claims, uploads) = (Claims::default(), Uploads::default());
        Registry { store, is_read_only, host, claims, uploads, known: Mutex::new(None) }
    }

    /// Returns the catalog as the index is now.
    pub(super) fn catalog(&self) -> Result<Arc<Catalog>, Refusal> {
        // Only whole catalogs are kept, so what a panic left is as good as any.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = self.store.stamp();
        match (&*known, stamp) {
            (Some((read, catalog)), Some(stamp)) if *read == stamp => Ok(Arc::clone(catalog)),
            (_, stamp) => {
                let catalog = Arc::new(self.store.catalog()?);
                *known = stamp.map(|stamp| (stamp, Arc::clone(&catalog)));
                Ok(catalog)
            }
        }
    }

    /// Returns the size of a blob that is here: one that a document needs, or that waits for its document.
    pub(super) fn size(&self, catalog: &Catalog, digest: &Digest) -> Option<u64> {
        let size = catalog.blobs.get(digest).copied().or_else(|| self.claims.size(digest))?;
        self.store.blobs().has(digest, size).then_some(size)
    }

    /// Refuses what would change something.
    pub(super) fn writable(&self) -> Result<(), Refusal> {
        if self.is_read_only { Err(Refusal::not_allowed("this registry is read-only")) } else { Ok(()) }
    }

    /// Lets go what has waited too long.
    pub(super) fn sweep(&self) -> Result<(), StoreError> {
        self.uploads.expire();
        if self.claims.expire(&self.store)? { self.store.sweep_unneeded() } else { Ok(()) }
    }
}
