//! Turns a directory into an archive: a container's changes into a layer, or a whole root file system into a tar.
//!
//! Runs in the shell command's process. The directory belongs to a container that may be running and hostile: every
//! name is opened from the open directory that lists it, following no link, and is looked at again once it is open; so
//! whatever is swapped meanwhile, nothing outside the directory is read. The same directory gives the same bytes.
//!
//! ```text
//! directory ─ names, sorted ─▶ status ─▶ open without following ─▶ entry ─▶ content, as long as the entry says
//! ```

mod compare;
mod file;
mod walk;

use std::collections::HashSet;
use std::io::{self, Write};
use std::os::fd::{BorrowedFd, OwnedFd};

use self::walk::{Name, Walk};
use super::unpack::Below;

/// How the marks of overlayfs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As a layer (OCI image-spec, layer.md): removed files are whiteouts, replaced directories are opaque.
    Layer,
    /// As it is: the directory is a merged root file system, which has no such marks.
    Whole,
}

/// What to write of a directory.
pub(crate) struct Selection<'a> {
    /// How marks are written.
    pub(crate) form: Form,
    /// Clean paths that count only if something is there: empty files and directories of these names are left out.
    pub(crate) placeholders: &'a HashSet<Vec<u8>>,
    /// The layers that the directory is a whole copy of, of which only what differs is written.
    pub(crate) below: Option<&'a Below>,
    /// Whether files have their content; without, they are empty: the names are what is wanted.
    pub(crate) has_content: bool,
}

/// Why a directory could not be written.
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    /// An entry cannot be read.
    #[error("{act} `{path}`")]
    Entry {
        /// What was tried.
        act: &'static str,
        /// The entry's path in the directory.
        path: String,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// An entry cannot be said in a layer.
    #[error("`{path}` cannot be in a layer: {why}")]
    Unsayable {
        /// The entry's path.
        path: String,
        /// Why.
        why: &'static str,
    },
    /// The archive cannot be written.
    #[error("write the archive")]
    Write(#[source] io::Error),
}

/// Writes everything below `root` to `out`; returns how many entries there are besides the root itself.
///
/// # Errors
/// [`DiffError`]; what was written then is the beginning of an archive.
pub(crate) fn write(root: OwnedFd, selection: &Selection<'_>, out: impl Write) -> Result<u64, DiffError> {
    let mut walk = Walk::new(selection, out);
    walk.root(root)?;
    walk.finish()
}

/// Writes what `parent` has under `name`, and what is below it; as [`write`].
///
/// # Errors
/// As [`write`].
pub(crate) fn write_entry(
    parent: BorrowedFd<'_>,
    name: &[u8],
    selection: &Selection<'_>,
    out: impl Write,
) -> Result<u64, DiffError> {
    let mut walk = Walk::new(selection, out);
    walk.child(&Name { parent, name, path: name.to_vec() })?;
    walk.finish()
}

#[cfg(test)]
mod tests;
