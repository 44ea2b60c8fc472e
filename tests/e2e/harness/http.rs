//! Asking a web server, with curl.

use std::time::Duration;

use super::eventually::patient;
use super::{eventually, run, tool};

/// Returns `limit` seconds, as many more as this machine is slow, for a client that keeps time itself.
pub(crate) fn seconds(limit: u64) -> String {
    patient(Duration::from_secs(limit)).as_secs().to_string()
}

/// Returns the page at `url`, waiting until its server answers.
#[track_caller]
pub(crate) fn get(url: &str, limit: Duration) -> String {
    eventually(&format!("{url} answers"), limit, || {
        let output = run(tool("curl", ["--silent", "--show-error", "--fail", "--max-time", &seconds(5), url]), limit);
        if output.stderr.is_empty() { Ok(output.stdout) } else { Err(output.stderr) }
    })
}
