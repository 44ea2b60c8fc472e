//! Asking a web server, with curl.

use std::time::Duration;

use super::{eventually, run, tool};

/// Returns the page at `url`, waiting until its server answers.
#[track_caller]
pub(crate) fn get(url: &str, limit: Duration) -> String {
    eventually(&format!("{url} answers"), limit, || {
        let output = run(tool("curl", ["--silent", "--show-error", "--fail", "--max-time", "5", url]), limit);
        if output.stderr.is_empty() { Ok(output.stdout) } else { Err(output.stderr) }
    })
}
