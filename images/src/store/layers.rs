//! `ROOT/layers`: one directory per unpacked layer, `fs/` with its files and `layer.json` about it.
//!
//! Runs in the shell command's process. A layer is unpacked in a staging directory and appears by rename once both its
//! digests match. It is durable only after the pull's one syncfs(2), so a directory counts as whole if either
//! - it was made since the last boot (what a crash of the machine could have lost is then still in memory), or
//! - an image of `index.json` has it (which is written after the syncfs).
//!
//! Anything else is left over from a crash, and is unpacked again.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use serde::{Deserialize, Serialize};

use super::error::{Context, StoreError};
use super::files;
use crate::digest::Digest;
use crate::layer::{Below, Unpacked};

/// Prefix of directories that are being filled.
pub(super) const STAGING: &str = ".staging-";

/// Prefix of directories that are being removed.
pub(super) const DELETED: &str = ".deleted-";

/// Largest `layer.json` in bytes.
const LARGEST_RECORD: u64 = 64 * 1024;

/// A layer of an image: its two names, either of which may be its directory's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LayerIds {
    /// Digest of the plain archive.
    pub(crate) diff_id: Digest,
    /// Digest over this and all diff IDs below.
    pub(crate) chain_id: Digest,
}

impl LayerIds {
    fn is_bottom(&self) -> bool {
        self.diff_id == self.chain_id
    }
}

/// `layer.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    /// Version of this file's form.
    version: u32,
    diff_id: Digest,
    /// Bytes of regular files.
    size: u64,
    entries: u64,
    /// Whether the directory is right as an image's bottom layer only.
    is_for_bottom: bool,
    /// Whether `fs/` itself has the owner, mode and times of the archive's root.
    describes_root: bool,
    /// The boot in which the directory was made: /proc/sys/kernel/random/boot_id.
    boot_id: String,
}

/// A layer's directory that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// The directory's name.
    pub(crate) key: Digest,
    /// Bytes of regular files.
    pub(crate) size: u64,
    /// Whether its root has attributes of its own.
    pub(crate) describes_root: bool,
}

/// The directory of layers.
#[derive(Debug, Clone)]
pub(crate) struct Layers {
    path: PathBuf,
    boot_id: String,
}

impl Layers {
    /// Takes the directory; it exists.
    pub(super) fn new(path: PathBuf) -> Result<Layers, StoreError> {
        let boot_id_path = Path::new("/proc/sys/kernel/random/boot_id");
        let boot_id = fs::read_to_string(boot_id_path).context("read", boot_id_path)?.trim().to_owned();
        Ok(Layers { path, boot_id })
    }

    /// Returns the directory of layers itself.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the files of a layer.
    pub(crate) fn files_of(&self, key: &Digest) -> PathBuf {
        self.path.join(key.hex()).join("fs")
    }

    /// Finds the directory of a layer of a listed image.
    pub(super) fn find_listed(&self, ids: &LayerIds) -> Option<Found> {
        self.find_if(ids, |_, _| true)
    }

    /// Finds the directory of a layer, if it is whole; `listed` has the keys that images of the index may use.
    pub(crate) fn find_whole(&self, ids: &LayerIds, listed: &HashSet<Digest>) -> Option<Found> {
        self.find_if(ids, |key, record| record.boot_id == self.boot_id || listed.contains(key))
    }

    /// A directory named by diff ID serves anywhere, unless it was made for the bottom; one named by chain ID serves
    /// there only.
    fn find_if(&self, ids: &LayerIds, is_whole: impl Fn(&Digest, &Record) -> bool) -> Option<Found> {
        let serves = |key: &Digest, record: &Record| {
            record.diff_id == ids.diff_id && (!record.is_for_bottom || ids.is_bottom() || *key == ids.chain_id)
        };
        [&ids.diff_id, &ids.chain_id].into_iter().find_map(|key| {
            let record = self.record(key).filter(|record| serves(key, record) && is_whole(key, record))?;
            Some(Found { key: key.clone(), size: record.size, describes_root: record.describes_root })
        })
    }

    /// Returns the bytes of a layer's regular files; `None` if there is no such layer.
    pub(super) fn size(&self, key: &Digest) -> Option<u64> {
        self.record(key).map(|record| record.size)
    }

    /// Reads `layer.json`; one that is not well formed is as good as none.
    fn record(&self, key: &Digest) -> Option<Record> {
        let bytes = files::read(&self.path.join(key.hex()).join("layer.json"), LARGEST_RECORD).ok()??;
        serde_json::from_slice(&bytes).ok().filter(|record: &Record| record.version == 1)
    }

    /// Makes a directory to unpack into, owned by the lease of that name.
    pub(crate) fn stage(&self, lease: &str) -> Result<Staging, StoreError> {
        let path = self.path.join(format!("{STAGING}{lease}-{}", files::random_name()));
        files::ensure_directory(&path.join("fs"))?;
        Ok(Staging { path })
    }

    /// Turns a staging directory into a layer, under its diff ID if it can stand alone. The store's lock is held.
    ///
    /// Somebody else may have made the same layer meanwhile; then theirs stays.
    pub(super) fn commit(&self, new: &NewLayer<'_>, listed: &HashSet<Digest>) -> Result<(), StoreError> {
        let record = Record {
            version: 1,
            diff_id: new.ids.diff_id.clone(),
            size: new.unpacked.bytes,
            entries: new.unpacked.entries,
            is_for_bottom: new.unpacked.is_for_bottom,
            describes_root: new.unpacked.describes_root,
            boot_id: self.boot_id.clone(),
        };
        let path = new.staging.path.join("layer.json");
        let text = serde_json::to_vec(&record).map_err(io::Error::from).context("write", &path)?;
        // Durable with everything else, by the syncfs before the reference is written.
        fs::write(&path, text).context("write", &path)?;
        let for_bottom = self.record(&new.ids.diff_id).filter(|other| other.is_for_bottom && !new.ids.is_bottom());
        let key = if new.stands_alone && for_bottom.is_none() { &new.ids.diff_id } else { &new.ids.chain_id };
        self.publish(new, key, listed)
    }

    fn publish(&self, new: &NewLayer<'_>, key: &Digest, listed: &HashSet<Digest>) -> Result<(), StoreError> {
        let (staged, target) = (&new.staging.path, self.path.join(key.hex()));
        match fs::rename(staged, &target) {
            Err(error) if is_taken(&error) && self.find_whole(new.ids, listed).is_some() => Ok(()),
            Err(error) if is_taken(&error) => {
                let leftover = self.path.join(format!("{DELETED}{}", files::random_name()));
                fs::rename(&target, &leftover).context("move away", &target)?;
                fs::rename(staged, &target).context("rename", staged)?;
                files::remove_tree(&leftover)
            }
            result => result.context("rename", staged),
        }
    }

    /// Opens the layers of these keys as the layers below another one.
    pub(crate) fn below(&self, keys: &[Digest]) -> io::Result<Below> {
        let open_layer = |key: &Digest| {
            let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            Ok(open(&self.files_of(key), flags, Mode::empty())?)
        };
        keys.iter().rev().map(open_layer).collect::<io::Result<Vec<OwnedFd>>>().map(Below::Layers)
    }
}

/// A layer that is unpacked and about to appear.
pub(crate) struct NewLayer<'a> {
    /// Where it is.
    pub(crate) staging: &'a Staging,
    /// Its names.
    pub(crate) ids: &'a LayerIds,
    /// What it contains.
    pub(crate) unpacked: Unpacked,
    /// Whether it was unpacked without looking at the layers below.
    pub(crate) stands_alone: bool,
}

/// A directory to unpack into; removed when dropped, unless it has become a layer.
#[derive(Debug)]
pub(crate) struct Staging {
    path: PathBuf,
}

impl Staging {
    /// Returns where it is: `fs/` in it becomes the layer's, the rest must be gone by then.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the directory for the files.
    pub(crate) fn root(&self) -> Result<OwnedFd, StoreError> {
        let path = self.path.join("fs");
        Ok(File::open(&path).context("open", &path)?.into())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What cannot be removed now is swept when its lease has ended.
        let _ = files::remove_tree(&self.path);
    }
}

fn is_taken(error: &io::Error) -> bool {
    let taken = [Errno::EEXIST, Errno::ENOTEMPTY, Errno::ENOTDIR].map(|errno| errno as i32);
    error.raw_os_error().is_some_and(|errno| taken.contains(&errno))
}
