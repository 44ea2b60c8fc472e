//! Why state could not be read or written. Any process.

use std::io;
use std::path::{Path, PathBuf};

/// Why state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file system refused.
    #[error("{act} `{}`", path.display())]
    File {
        /// What was tried: `read`, `write`, `lock` …
        act: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("understand `{}`", path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// The cause, with line and column.
        source: serde_json::Error,
    },
}

impl StateError {
    /// Returns what makes an error of the file system one of `act` on `path`.
    pub(crate) fn file(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StateError {
        move |source| StateError::File { act, path: path.to_owned(), source }
    }
}
