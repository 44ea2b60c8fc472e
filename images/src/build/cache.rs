//! What steps gave: `ROOT/build`, shared by all builds.
//!
//! Runs in the shell command's process. A record says which layer a step's key stands for; the layer itself is the image
//! store's, which keeps it as long as a record names it. A record appears by rename; a step in work is locked by whoever
//! does it, so that another build waits for the result instead of doing the same. Killed at any point, a build leaves
//! records of what is done; one whose layer is not whole counts for nothing, and the step is done again.
//!
//! ```text
//! ROOT/build/   steps/KEY   what the step gave       locks/KEY   who is at it
//!               blobs/DIFF  the layer as a blob      mounts/ID   what `RUN --mount=type=cache` keeps
//! ```

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use nix::fcntl::Flock;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::store::{StoreError, files};

/// Largest record in bytes.
const LARGEST: u64 = 1 << 20;

/// The cache of one installation.
#[derive(Debug, Clone)]
pub struct Cache {
    directory: PathBuf,
}

/// What a step gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    /// Version of this file's form.
    pub(crate) version: u32,
    /// The layer; `None` if the step changed nothing.
    pub(crate) diff_id: Option<Digest>,
    /// When it was made, RFC 3339.
    pub(crate) created: String,
    /// What the step was, for people.
    pub(crate) step: String,
    /// Bytes of the layer.
    pub(crate) size: u64,
    /// The layer is on the disk for certain; else it is as long as the machine does not stop.
    pub(crate) is_durable: bool,
}

/// A layer as a blob, so that it need not be compressed again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BlobRecord {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
}

/// One entry, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheEntry {
    /// What it is called: a step's key, or `mount-…`.
    pub id: String,
    /// What the step was, or what the mount is for.
    pub description: String,
    /// Bytes.
    pub size: u64,
    /// When it was last used.
    pub used: SystemTime,
    /// It is a directory of `RUN --mount=type=cache`.
    pub is_mount: bool,
    /// The layer that several entries may share.
    layer: Option<Digest>,
}

impl CacheEntry {
    /// Returns the layer that the step gave; several steps may have given the same.
    pub fn layer(&self) -> Option<&Digest> {
        self.layer.as_ref()
    }
}

impl Cache {
    /// Opens the cache of the installation under `root`, making what is absent.
    ///
    /// # Errors
    /// [`StoreError::File`].
    pub fn open(root: &Path) -> Result<Cache, StoreError> {
        let directory = root.join("build");
        for name in ["steps", "locks", "blobs", "mounts"] {
            files::ensure_directory(&directory.join(name))?;
        }
        Ok(Cache { directory })
    }

    fn step(&self, key: &Digest) -> PathBuf {
        self.directory.join("steps").join(key.hex())
    }

    /// Finds what a step gave; whoever asks looks whether the layer is there.
    pub(crate) fn find(&self, key: &Digest) -> Option<Record> {
        let path = self.step(key);
        let record = read::<Record>(&path).filter(|record| record.version == 1)?;
        // So that what is in use is not what is removed first; failing to say so costs no more than that.
        let _ = File::open(&path).and_then(|file| file.set_modified(SystemTime::now()));
        Some(record)
    }

    /// Notes what a step gave.
    pub(crate) fn add(&self, key: &Digest, record: &Record) -> Result<(), StoreError> {
        write(&self.step(key), record)
    }

    /// Waits until nobody else is at the step.
    pub(crate) fn claim(&self, key: &Digest) -> Result<Flock<File>, StoreError> {
        let path = self.directory.join("locks").join(key.hex());
        files::lock(files::open_lock_file(&path)?, &path)
    }

    /// Returns the blob that a layer was written as.
    pub(crate) fn blob(&self, diff_id: &Digest) -> Option<BlobRecord> {
        read(&self.directory.join("blobs").join(diff_id.hex()))
    }

    /// Notes the blob that a layer was written as.
    pub(crate) fn add_blob(&self, diff_id: &Digest, blob: &BlobRecord) -> Result<(), StoreError> {
        write(&self.directory.join("blobs").join(diff_id.hex()), blob)
    }

    /// Returns the directory that keeps a cache mount, by the digest of its id, and notes what it is for.
    pub(crate) fn mount(&self, id: &str, number: u32) -> Result<PathBuf, StoreError> {
        let name = format!("{}-{number}", &Digest::of(id.as_bytes()).hex()[..32]);
        let path = self.directory.join("mounts").join(name);
        files::ensure_directory(&path)?;
        write(&path.join("id"), &id)?;
        Ok(path)
    }

    /// Lists everything, what was used last first.
    ///
    /// # Errors
    /// [`StoreError::File`].
    pub fn entries(&self) -> Result<Vec<CacheEntry>, StoreError> {
        let mut entries = Vec::new();
        for name in files::names(&self.directory.join("steps"))? {
            let path = self.directory.join("steps").join(&name);
            let Some(record) = read::<Record>(&path) else { continue };
            let (description, size, layer) = (record.step, record.size, record.diff_id);
            entries.push(CacheEntry { id: name, description, size, used: modified(&path), is_mount: false, layer });
        }
        for name in files::names(&self.directory.join("mounts"))? {
            let path = self.directory.join("mounts").join(&name);
            let description = read::<String>(&path.join("id")).unwrap_or_default();
            let (id, size, used) = (format!("mount-{name}"), size_of(&path.join("fs")), modified(&path.join("id")));
            entries.push(CacheEntry { id, description, size, used, is_mount: true, layer: None });
        }
        entries.sort_by(|a, b| (b.used, &a.id).cmp(&(a.used, &b.id)));
        Ok(entries)
    }

    /// Removes entries that `is_meant`, but for what a build is using: as much as is over `keep` bytes, what was used longest
    /// ago first, or everything. The image store's next sweep takes their layers.
    ///
    /// # Errors
    /// [`StoreError::File`].
    pub fn prune(
        &self,
        keep: Option<u64>,
        is_meant: &dyn Fn(&CacheEntry) -> bool,
    ) -> Result<Vec<CacheEntry>, StoreError> {
        let (mut kept, mut removed, mut layers) = (0, Vec::new(), HashSet::new());
        for entry in self.entries()? {
            let own =
                if entry.layer.as_ref().is_none_or(|layer| layers.insert(layer.clone())) { entry.size } else { 0 };
            let fits = keep.is_some_and(|keep| kept + own <= keep);
            if !fits && is_meant(&entry) && self.remove(&entry)? {
                removed.push(entry);
            } else {
                kept += own;
            }
        }
        self.forget_locks()?;
        Ok(removed)
    }

    fn remove(&self, entry: &CacheEntry) -> Result<bool, StoreError> {
        let Some(mount) = entry.id.strip_prefix("mount-") else {
            return files::remove(&self.directory.join("steps").join(&entry.id)).map(|()| true);
        };
        let path = self.directory.join("mounts").join(mount);
        match files::try_lock(&path.join("lock"))? {
            None if path.join("lock").exists() => Ok(false),
            _lock => files::remove_tree(&path).map(|()| true),
        }
    }

    /// Removes lock files that nobody holds and records of blobs whose layers nobody has.
    fn forget_locks(&self) -> Result<(), StoreError> {
        for name in files::names(&self.directory.join("locks"))? {
            let path = self.directory.join("locks").join(name);
            if files::try_lock(&path)?.is_some() {
                files::remove(&path)?;
            }
        }
        let layers: HashSet<String> = self.layers()?.iter().map(|layer| layer.hex().to_owned()).collect();
        for name in files::names(&self.directory.join("blobs"))?.into_iter().filter(|name| !layers.contains(name)) {
            files::remove(&self.directory.join("blobs").join(name))?;
        }
        Ok(())
    }

    /// Lists the layers of all records.
    fn layers(&self) -> Result<HashSet<Digest>, StoreError> {
        let steps = self.directory.join("steps");
        let names = if steps.exists() { files::names(&steps)? } else { Vec::new() };
        Ok(names.iter().filter_map(|name| read::<Record>(&steps.join(name))?.diff_id).collect())
    }
}

/// Lists the layers that the cache of the installation under `root` needs.
pub(crate) fn cached_layers(root: &Path) -> Result<HashSet<Digest>, StoreError> {
    Cache { directory: root.join("build") }.layers()
}

/// Reads a record; one that is not well formed, perhaps because the machine stopped, is as good as none.
fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let bytes = files::read(path, LARGEST).ok()??;
    serde_json::from_slice(&bytes).ok()
}

/// Replaces a record. It is not flushed: one that is lost costs the step once more.
fn write<T: Serialize>(path: &Path, record: &T) -> Result<(), StoreError> {
    let temporary = path.with_file_name(format!(".new-{}", files::random_name()));
    let failed = |source| StoreError::File { act: "write", path: path.to_owned(), source };
    let text = serde_json::to_vec(record).map_err(io::Error::from).map_err(failed)?;
    fs::write(&temporary, text).and_then(|()| fs::rename(&temporary, path)).map_err(failed)
}

fn modified(path: &Path) -> SystemTime {
    fs::metadata(path).and_then(|metadata| metadata.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Adds up the files in a directory; what goes meanwhile counts nothing.
fn size_of(path: &Path) -> u64 {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size_of(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.map(size).sum()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn record(layer: &str, size: u64) -> Record {
        let diff_id = Some(Digest::of(layer.as_bytes()));
        Record { version: 1, diff_id, created: String::new(), step: layer.to_owned(), size, is_durable: false }
    }

    #[test]
    fn what_was_used_longest_ago_goes_first_and_shared_layers_count_once() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::open(root.path()).unwrap();
        for (age, name, size) in [(4, "a", 10), (3, "b", 10), (2, "b", 10), (1, "c", 10)] {
            let key = Digest::of(format!("{name}{age}").as_bytes());
            cache.add(&key, &record(name, size)).unwrap();
            let used = SystemTime::now() - Duration::from_secs(age * 3600);
            File::open(cache.step(&key)).unwrap().set_modified(used).unwrap();
        }
        assert!(cache.prune(None, &|entry| entry.description == "x").unwrap().is_empty());
        let removed = cache.prune(Some(20), &|_| true).unwrap();
        assert_eq!(removed.iter().map(|entry| entry.description.as_str()).collect::<Vec<_>>(), ["a"]);
        assert_eq!(cached_layers(root.path()).unwrap(), [Digest::of(b"b"), Digest::of(b"c")].into());
        assert_eq!(cache.prune(None, &|_| true).unwrap().len(), 3);
    }

    #[test]
    fn a_record_that_is_cut_off_is_none() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::open(root.path()).unwrap();
        let key = Digest::of(b"k");
        cache.add(&key, &record("a", 1)).unwrap();
        assert_eq!(cache.find(&key), Some(record("a", 1)));
        fs::write(cache.step(&key), "{\"version\":1").unwrap();
        assert_eq!(cache.find(&key), None);
        assert!(cached_layers(&root.path().join("nowhere")).unwrap().is_empty());
    }
}
