//! Makes an image from a container's changes (`commit`) or from an archive of files (`import`).
//!
//! Runs in the shell command's process. Before: the base image, if there is one. After: the new image is listed, durably,
//! with its layer unpacked; or an error, and the store lists what it listed before. Killed on the way, it leaves what the
//! next command sweeps.
//!
//! ```text
//! directory ─ diff ─▶ tar ─▶ sha256 ─▶ gzip ─▶ sha256 ─▶ file without a name ─▶ unpack, blob ─▶ syncfs ─▶ index
//! ```

mod change;
mod changes;
mod document;
mod words;

pub use change::{ChangeError, Changes};
pub use changes::changes;
pub use document::Description;

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::fd::{BorrowedFd, OwnedFd};

use crate::content::{Content, Gzip, copy};
use crate::digest::Digest;
pub use crate::install::InstallError;
use crate::install::{Installation, LocalLayer};
pub use crate::layer::DiffError;
use crate::layer::{Below, Compression, Form, Reader, Selection, unpack, write_directory, write_entry};
use crate::manifest::ManifestError;
use crate::platform::Platform;
use crate::progress::Silent;
use crate::reference::Reference;
use crate::store::{Assembled, Image, Store, StoreError};

pub(crate) use self::document::NewLayer;

/// Why an image could not be made.
#[derive(Debug, thiserror::Error)]
pub enum DeriveError {
    /// The container's files cannot be read.
    #[error(transparent)]
    Diff(#[from] DiffError),
    /// The archive cannot be read, or kept.
    #[error("{act} the archive")]
    Archive {
        /// `read`, `keep`.
        act: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The layer cannot be unpacked.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// What was put together is no image.
    #[error("put the image together")]
    Manifest(#[from] ManifestError),
    /// The store cannot take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A container's files.
pub struct Upper<'a> {
    /// The directory they are in.
    pub directory: OwnedFd,
    /// Whether it has all files, and not only what overlayfs says has changed.
    pub is_copy: bool,
    /// Clean paths of mount points, which are left out while they are empty.
    pub placeholders: &'a HashSet<Vec<u8>>,
}

/// Writes everything below `directory`, a whole root file system, as an archive; returns the number of entries.
///
/// # Errors
/// [`DiffError`].
pub fn archive(directory: OwnedFd, out: impl Write) -> Result<u64, DiffError> {
    write_directory(directory, &everything(&HashSet::new()), out)
}

/// Writes what the folder `parent` has under `name`, and what is below it, as an archive, following no link; returns the number
/// of entries: none if nothing is there.
///
/// # Errors
/// [`DiffError`].
pub fn archive_entry(parent: BorrowedFd<'_>, name: &OsStr, out: impl Write) -> Result<u64, DiffError> {
    write_entry(parent, name.as_encoded_bytes(), &everything(&HashSet::new()), out)
}

fn everything(placeholders: &HashSet<Vec<u8>>) -> Selection<'_> {
    Selection { form: Form::Whole, placeholders, below: None, has_content: true }
}

/// Unpacks an archive, plain or compressed with gzip or zstd, into an empty folder; no name in it leads out of there.
///
/// # Errors
/// It is no such archive, or the folder cannot take it.
pub fn unpack_archive(input: impl Read, folder: OwnedFd) -> io::Result<()> {
    let mut input = BufReader::with_capacity(128 * 1024, input);
    let compression = Compression::sniff(input.fill_buf()?)?;
    let mut archive = Reader::new(BufReader::with_capacity(128 * 1024, compression.reader(input)?));
    let unpacked = unpack(&mut archive, folder, &|| Ok(Below::Nothing));
    unpacked.map(drop).map_err(|error| io::Error::other(chain(&error)))
}

/// Returns an error with its cause.
fn chain(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

/// Makes an image of `base` and what `upper` changes in it; without changes it gets no layer of its own.
///
/// # Errors
/// [`DeriveError`].
pub fn commit(store: &Store, base: &Image, upper: Upper<'_>, description: &Description) -> Result<Image, DeriveError> {
    let keys: Vec<_> = base.layers.iter().map(|key| key.digest().clone()).collect();
    let layer = written(store, &keys, upper)?;
    let new = document::derived(store, base, description, layer.as_ref().map(|(_, layer)| layer))?;
    enter(store, new, layer.map(|(content, layer)| (content, layer.compression)), description.name.as_ref())
}

/// Makes an image of the archive that `input` is, compressed or not, as its only layer.
///
/// # Errors
/// [`DeriveError`].
pub fn import(
    store: &Store,
    mut input: impl Read,
    platform: &Platform,
    description: &Description,
) -> Result<Image, DeriveError> {
    let archive = |act| move |source| DeriveError::Archive { act, source };
    let mut file = store.blobs().spool()?;
    copy(&mut input, &mut file).map_err(archive("keep"))?;
    let content = Content::whole(file).map_err(archive("read"))?;
    let compression = content.compression().map_err(archive("read"))?;
    let blob = content.digest().map_err(archive("read"))?;
    let diff_id = content.plain_digest(compression).map_err(archive("read"))?;
    let layer = NewLayer { blob, diff_id, size: content.length(), compression };
    let new = document::imported(platform, description, &layer)?;
    enter(store, new, Some((content, compression)), description.name.as_ref())
}

/// Writes the changes as a compressed layer; `None` if there are none.
pub(crate) fn written(
    store: &Store,
    below: &[Digest],
    upper: Upper<'_>,
) -> Result<Option<(Content, NewLayer)>, DeriveError> {
    let keep = |source| DeriveError::Archive { act: "keep", source };
    let read = |source| DeriveError::Archive { act: "compare the image with", source };
    let mut gzip = Gzip::new(store.blobs().spool()?);
    let below = if upper.is_copy { Some(store.layer_directories().below(below).map_err(read)?) } else { None };
    let selection =
        Selection { form: Form::Layer, placeholders: upper.placeholders, below: below.as_ref(), has_content: true };
    let entries = write_directory(upper.directory, &selection, BufWriter::with_capacity(128 * 1024, &mut gzip))?;
    if entries == 0 {
        return Ok(None);
    }
    let compressed = gzip.finish().map_err(keep)?;
    let (blob, diff_id, content) = (compressed.digest, compressed.plain, compressed.content);
    let layer = NewLayer { blob, diff_id, size: content.length(), compression: Compression::Gzip };
    Ok(Some((content, layer)))
}

/// Installs the topmost layer, the others being here, and lists the image.
fn enter(
    store: &Store,
    new: Assembled,
    layer: Option<(Content, Compression)>,
    reference: Option<&Reference>,
) -> Result<Image, DeriveError> {
    let needs = new.needs()?;
    let (lease, listed) = store.begin(&needs)?;
    if let Some((content, compression)) = layer {
        let position = new.chain.len() - 1;
        let blob = crate::manifest::descriptor_digest(&new.manifest.layers()[position])?;
        let layer = LocalLayer { position, blob, compression, content, is_stored: false };
        Installation::new(store, &lease, &listed, &Silent).install(&new.chain, &[layer])?;
    }
    let mut entered = store.enter(&[(new, reference.into_iter().cloned().collect())])?;
    Ok(entered.remove(0))
}
