//! What a container wrote: kept line by line, in the json-file format that Docker's users and tools know, and handed to the
//! journal or to syslog if asked.
//!
//! One JSON object a line: `{"log":"text\n","stream":"stdout","time":"2026-01-02T03:04:05.123456789Z"}`. Bytes that are no
//! UTF-8 stand in a further field `raw`, in hexadecimal digits, so that nothing of them is lost.

mod entry;
mod files;
mod read;
mod send;
mod spool;
mod write;

pub use entry::{LogEntry, Stream};
pub use read::{LogQuery, LogReader};
pub(crate) use write::LogWriter;
