//! `export`: a container's files as an archive, without what is mounted in it.
//!
//! Runs in the command.

use std::io::{self, Write};

use lighter_images::derive;

use crate::as_root::as_root_of;
use crate::{Container, Engine, ViewError};

/// Why a container could not be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Its files cannot be seen.
    #[error(transparent)]
    View(#[from] ViewError),
    /// Its files cannot be read, or the archive not written.
    #[error("export container `{name}`")]
    Archive {
        /// The container.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Engine {
    /// Writes the files of a container, which may run, to `out` as one archive.
    ///
    /// # Errors
    /// [`ExportError`]; what was written then is the beginning of an archive.
    pub fn export(&self, container: &Container, mut out: impl Write) -> Result<(), ExportError> {
        let files = self.files_of(container)?;
        let written = as_root_of(container, || {
            derive::archive(files, &mut out).map_err(io::Error::other)?;
            out.flush()
        });
        written.map_err(|source| ExportError::Archive { name: container.spec.name.clone(), source })
    }
}
