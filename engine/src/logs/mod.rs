//! What a container wrote: kept line by line, in the json-file format that Docker's users and tools know.
//!
//! One JSON object a line: `{"log":"text\n","stream":"stdout","time":"2026-01-02T03:04:05.123456789Z"}`.

mod read;
mod write;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use read::{LogQuery, LogReader};
pub(crate) use write::LogWriter;

/// Which of a process's outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output, or the terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

/// One line of a log, or a part of a long one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// The text; ends with a newline unless the line goes on in the next entry of the stream, or was never ended.
    pub log: String,
    /// Where it was written to.
    pub stream: Stream,
    /// When it was read from the container.
    pub time: Timestamp,
}
