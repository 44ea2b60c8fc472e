//! Where the output goes.

use lighter_engine::LogOptions;

use crate::model::Logging;

/// Returns the options of the log.
pub(super) fn options(logging: &Logging) -> LogOptions {
    let usual = LogOptions::default();
    LogOptions {
        none: logging.none,
        max_size: logging.max_size.unwrap_or(usual.max_size),
        max_files: logging.max_files.unwrap_or(usual.max_files),
    }
}
