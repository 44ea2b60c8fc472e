//! The layers below the one being unpacked, seen as overlayfs will merge them.
//!
//! Runs in the shell command's process, in a layer's extracting thread; only reads. Nothing is mounted: a merged
//! directory is the list of the layers' directories of that path, topmost first, down to the first that hides the rest.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::dir::Dir;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{FileStat, Mode, SFlag};

use super::tree::{is_opaque, is_whiteout, kind, open_directory, status};

/// One directory of the layers below.
pub(crate) enum Below {
    /// No layer below has it: it is new, or hidden, or this is the bottom layer.
    Nothing,
    /// The layers below are not looked at; this layer is unpacked as if it stood alone.
    Unknown,
    /// Those layers' directories, topmost first, opened with `O_PATH`.
    Layers(Vec<OwnedFd>),
}

/// What the layers below have under a name.
pub(crate) enum Found {
    /// A directory.
    Directory(FileStat, Below),
    /// Anything else.
    File(FileStat),
}

/// Why a look below gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BelowError {
    /// The layer cannot stand alone: it takes the layers below to go on.
    #[error("the layers below are needed")]
    Needed,
    /// A file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<nix::Error> for BelowError {
    fn from(errno: nix::Error) -> BelowError {
        BelowError::Io(errno.into())
    }
}

impl Below {
    /// Returns what stands under `name`, `None` if nothing does.
    pub(crate) fn find(&self, name: &[u8]) -> Result<Option<Found>, BelowError> {
        let layers = self.layers()?;
        let mut merged: Option<(FileStat, Vec<OwnedFd>)> = None;
        for layer in layers {
            let Some(stat) = status(layer, name)? else { continue };
            if kind(&stat) != SFlag::S_IFDIR {
                let is_hidden = merged.is_some() || is_whiteout(&stat);
                return Ok(if is_hidden { merged.map(into_found) } else { Some(Found::File(stat)) });
            }
            let directory = open_directory(layer, name, OFlag::O_PATH)?;
            merged.get_or_insert_with(|| (stat, Vec::new())).1.push(directory);
            if is_opaque(layer.as_fd(), name)? {
                break;
            }
        }
        Ok(merged.map(into_found))
    }

    /// Returns the topmost layer's directory that has `name`: where to read a file that [`Below::find`] found.
    pub(crate) fn holder(&self, name: &[u8]) -> Result<Option<&OwnedFd>, BelowError> {
        for layer in self.layers()? {
            if status(layer, name)?.is_some() {
                return Ok(Some(layer));
            }
        }
        Ok(None)
    }

    /// Lists the names that are visible in this directory.
    pub(crate) fn names(&self) -> Result<Vec<Vec<u8>>, BelowError> {
        let mut names = Vec::new();
        for layer in self.layers()? {
            let readable = openat(layer, ".", OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
            for entry in Dir::from_fd(readable)? {
                names.push(entry?.file_name().to_bytes().to_vec());
            }
        }
        names.retain(|name| name != b"." && name != b"..");
        names.sort();
        names.dedup();
        let is_visible = |name: &Vec<u8>| matches!(self.find(name), Ok(Some(_)) | Err(_));
        Ok(names.into_iter().filter(is_visible).collect())
    }

    fn layers(&self) -> Result<&[OwnedFd], BelowError> {
        match self {
            Below::Nothing => Ok(&[]),
            Below::Unknown => Err(BelowError::Needed),
            Below::Layers(layers) => Ok(layers),
        }
    }
}

fn into_found((stat, layers): (FileStat, Vec<OwnedFd>)) -> Found {
    Found::Directory(stat, Below::Layers(layers))
}
