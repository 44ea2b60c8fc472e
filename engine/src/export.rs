//! `export`: a container's files as an archive, without what is mounted in it.
//!
//! Runs in the command.

use std::io::Write;

use lighter_images::derive::{self, DiffError};

use crate::{Container, Engine, ViewError};

/// Why a container could not be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Its files cannot be seen.
    #[error(transparent)]
    View(#[from] ViewError),
    /// Its files cannot be read, or the archive not written.
    #[error(transparent)]
    Diff(#[from] DiffError),
}

impl Engine {
    /// Writes the files of a container, which may run, to `out` as one archive.
    ///
    /// # Errors
    /// [`ExportError`]; what was written then is the beginning of an archive.
    pub fn export(&self, container: &Container, out: impl Write) -> Result<(), ExportError> {
        derive::archive(self.files_of(container)?, out)?;
        Ok(())
    }
}
