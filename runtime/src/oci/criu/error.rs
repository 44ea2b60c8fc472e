//! Why criu did not do what was asked.

use std::io;
use std::path::PathBuf;

/// Why a container could not be saved or made again.
#[derive(Debug, thiserror::Error)]
pub enum CriuError {
    /// There is no criu.
    #[error("{act} needs `criu`, which is not in PATH")]
    Missing {
        /// The verb.
        act: &'static str,
    },
    /// It tried.
    #[error("`criu`: {why}; all of it is in `{log}`")]
    Failed {
        /// The verb.
        act: &'static str,
        /// The last error in its log, or else what it answered.
        why: String,
        /// Its log.
        log: PathBuf,
    },
    /// It could not be asked.
    #[error("{act}: talk to `criu`")]
    Talk {
        /// The verb.
        act: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
}
