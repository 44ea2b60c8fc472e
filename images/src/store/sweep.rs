//! Removes what no image and no pull in progress needs.
//!
//! Runs in the shell command's process. Under the store's lock, things disappear by unlink or rename, so nobody sees half
//! a layer; the work of deleting the renamed directories is done without it.

use std::path::PathBuf;

use super::Store;
use super::error::{Context, StoreError};
use super::files;
use super::index::Index;
use super::layers::{DELETED, STAGING};
use super::lease::{self, Needs};
use crate::digest::Digest;

/// What a sweep took out of the store; the directories are yet to be deleted.
#[derive(Debug, Default)]
pub(super) struct Swept {
    /// Keys of layers.
    pub(super) layers: Vec<Digest>,
    /// Bytes of the blobs, and of the layers' regular files.
    pub(super) bytes: u64,
    directories: Vec<PathBuf>,
}

impl Swept {
    /// Deletes the directories.
    pub(super) fn finish(self) -> Result<(), StoreError> {
        self.directories.iter().try_for_each(|path| files::remove_tree(path))
    }
}

impl Store {
    /// Takes out what neither `index` nor a living lease needs. The caller holds the lock and calls [`Swept::finish`].
    ///
    /// An image that cannot be read might need anything: while there is one, blobs and layers stay.
    pub(super) fn sweep(&self, index: &Index) -> Result<Swept, StoreError> {
        let living = lease::living(&self.leases())?;
        let mut swept = Swept::default();
        self.sweep_staging(&living, &mut swept)?;
        let mut needs = living.needs;
        needs.layers.extend(crate::build::cached_layers(&self.root)?);
        for entry in &index.manifests {
            match self.needs(entry) {
                Ok(entry_needs) => needs.extend(entry_needs),
                Err(_) => return Ok(swept),
            }
        }
        self.sweep_blobs(&needs, &mut swept)?;
        self.sweep_unfinished()?;
        self.sweep_layers(&needs, &mut swept)?;
        Ok(swept)
    }

    /// Takes out what killed processes left half done, and nothing else. The caller holds the lock.
    pub(super) fn sweep_leftovers(&self) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        self.sweep_staging(&lease::living(&self.leases())?, &mut swept)?;
        Ok(swept)
    }

    /// Takes out directories that a process left half filled or half deleted.
    fn sweep_staging(&self, living: &lease::Living, swept: &mut Swept) -> Result<(), StoreError> {
        let owner_lives = |name: &str| {
            let owner = name.strip_prefix(STAGING).and_then(|rest| rest.split('-').next());
            owner.is_some_and(|owner| living.names.contains(owner))
        };
        for name in files::names(self.layers.path())? {
            if name.starts_with(DELETED) || (name.starts_with(STAGING) && !owner_lives(&name)) {
                swept.directories.push(self.layers.path().join(name));
            }
        }
        Ok(())
    }

    fn sweep_blobs(&self, needs: &Needs, swept: &mut Swept) -> Result<(), StoreError> {
        let directory = self.blobs.finished();
        for name in files::names(&directory)? {
            let digest = format!("sha256:{name}").parse::<Digest>();
            if !digest.is_ok_and(|digest| needs.blobs.contains(&digest)) {
                let path = directory.join(name);
                swept.bytes += std::fs::symlink_metadata(&path).map_or(0, |metadata| metadata.len());
                files::remove(&path)?;
            }
        }
        Ok(())
    }

    /// Removes beginnings of blobs that nobody is downloading; whoever removes images wants the room.
    fn sweep_unfinished(&self) -> Result<(), StoreError> {
        let directory = self.blobs.unfinished();
        for name in files::names(&directory)? {
            let path = directory.join(name);
            // Removed under its lock: whoever waits for that then looks again, and makes a new file.
            if let Some(_lock) = files::try_lock(&path)? {
                files::remove(&path)?;
            }
        }
        Ok(())
    }

    fn sweep_layers(&self, needs: &Needs, swept: &mut Swept) -> Result<(), StoreError> {
        for name in files::names(self.layers.path())? {
            let Ok(key) = format!("sha256:{name}").parse::<Digest>() else { continue };
            if needs.layers.contains(&key) {
                continue;
            }
            swept.bytes += self.layers.size(&key).unwrap_or(0);
            let path = self.layers.path().join(name);
            let leftover = self.layers.path().join(format!("{DELETED}{}", files::random_name()));
            std::fs::rename(&path, &leftover).context("move away", &path)?;
            swept.directories.push(leftover);
            swept.layers.push(key);
        }
        Ok(())
    }
}
