//! Leases: what a pull in progress needs, so that nobody sweeps it away before an image of the index has it.
//!
//! Runs in the shell command's process. A lease is a file in `ROOT/images/leases`, locked as long as its owner lives;
//! one that nobody locks is left over from a process that was killed. Leases are made and judged under the store's lock.

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use nix::fcntl::Flock;
use serde::{Deserialize, Serialize};

use super::error::{Context, StoreError};
use super::files;
use crate::digest::Digest;

/// Largest lease in bytes.
const LARGEST: u64 = 4 << 20;

/// Digests that are in use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Needs {
    /// Blobs: manifests, configurations, layers.
    pub(crate) blobs: HashSet<Digest>,
    /// Diff IDs and chain IDs, any of which may name a layer's directory.
    pub(crate) layers: HashSet<Digest>,
}

impl Needs {
    /// Adds what somebody else needs.
    pub(crate) fn extend(&mut self, other: Needs) {
        self.blobs.extend(other.blobs);
        self.layers.extend(other.layers);
    }
}

/// A lease of ours; it ends when dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    name: String,
    path: PathBuf,
    _lock: Flock<File>,
}

impl Lease {
    /// Takes a lease. The caller holds the store's lock.
    pub(super) fn take(directory: &Path, needs: &Needs) -> Result<Lease, StoreError> {
        let name = files::random_name();
        let path = directory.join(&name);
        let lock = files::lock(files::open_lock_file(&path)?, &path)?;
        let text = serde_json::to_vec(needs).map_err(std::io::Error::from).context("write", &path)?;
        std::fs::write(&path, text).context("write", &path)?;
        Ok(Lease { name, path, _lock: lock })
    }

    /// Replaces what it is on. The caller holds the store's lock, so nobody reads half of it.
    pub(super) fn replace(&self, needs: &Needs) -> Result<(), StoreError> {
        let text = serde_json::to_vec(needs).map_err(std::io::Error::from).context("write", &self.path)?;
        std::fs::write(&self.path, text).context("write", &self.path)
    }

    /// Returns its name, which its staging directories carry.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // One that stays is recognised as ended by its lock.
        let _ = files::remove(&self.path);
    }
}

/// The leases whose owners live.
#[derive(Debug, Default)]
pub(super) struct Living {
    /// Their names.
    pub(super) names: HashSet<String>,
    /// What all of them need.
    pub(super) needs: Needs,
}

/// Reads the living leases and removes the others. The caller holds the store's lock.
pub(super) fn living(directory: &Path) -> Result<Living, StoreError> {
    let mut living = Living::default();
    for name in files::names(directory)? {
        let path = directory.join(&name);
        if let Some(_lock) = files::try_lock(&path)? {
            files::remove(&path)?;
            continue;
        }
        let text = files::read(&path, LARGEST)?.unwrap_or_default();
        // Its owner may just have removed it; one that lives and cannot be read must stop any sweep.
        match serde_json::from_slice(&text) {
            Ok(needs) => living.needs.extend(needs),
            Err(_) if !path.exists() => continue,
            Err(error) => return Err(StoreError::Damaged { path, why: error.to_string() }),
        }
        living.names.insert(name);
    }
    Ok(living)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_counts_as_long_as_its_owner_lives() {
        let directory = tempfile::tempdir().unwrap();
        let needs = Needs { blobs: [Digest::of(b"a")].into(), layers: HashSet::new() };
        let lease = Lease::take(directory.path(), &needs).unwrap();
        assert_eq!(living(directory.path()).unwrap().needs, needs);
        std::fs::write(directory.path().join("killed"), "{}").unwrap();
        assert_eq!(living(directory.path()).unwrap().names, [lease.name().to_owned()].into());
        assert!(!directory.path().join("killed").exists());
        drop(lease);
        assert!(living(directory.path()).unwrap().names.is_empty());
    }
}
