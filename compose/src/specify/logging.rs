//! Where the output goes.

use lighter_engine::LogOptions;

use crate::model::Logging;
use crate::units;

/// Returns the options of the log; loading has refused what is not known here.
pub(super) fn options(logging: Option<&Logging>) -> LogOptions {
    let mut options = LogOptions::default();
    let Some(logging) = logging else { return options };
    options.none = logging.driver.as_deref() == Some("none");
    if let Some(size) = logging.options.get("max-size").and_then(|size| units::parse_size(size)) {
        options.max_size = size;
    }
    if let Some(files) = logging.options.get("max-file").and_then(|files| files.parse().ok()) {
        options.max_files = files;
    }
    options
}
