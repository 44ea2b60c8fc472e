//! One line of a log and its form on disk. Pure.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Which of a process's outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output, or the terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    fn word(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// One line of a log, or a part of a long one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// What was written; ends with a newline unless the line goes on in the next entry of the stream, or was never ended.
    pub bytes: Vec<u8>,
    /// Where it was written to.
    pub stream: Stream,
    /// When it was read from the container.
    pub time: Timestamp,
}

/// The object on disk.
#[derive(Deserialize)]
struct Stored {
    log: String,
    stream: Stream,
    time: Timestamp,
    raw: Option<String>,
}

impl LogEntry {
    /// Returns the bytes as text; what is no UTF-8 is replaced.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }

    /// Returns whether the line is complete.
    pub fn is_whole(&self) -> bool {
        self.bytes.ends_with(b"\n")
    }

    /// Reads an object; `None` if it is none of ours.
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        let Stored { log, stream, time, raw } = serde_json::from_slice(line).ok()?;
        let bytes = match raw {
            Some(raw) => hex::decode(raw).ok()?,
            None => log.into_bytes(),
        };
        Some(Self { bytes, stream, time })
    }
}

/// Appends the object for `line` and its newline to `out`; `time` is the text of a timestamp.
pub(super) fn encode(out: &mut Vec<u8>, stream: Stream, time: &str, line: &[u8]) {
    out.extend_from_slice(b"{\"log\":\"");
    let raw = match std::str::from_utf8(line) {
        Ok(text) => {
            escape(out, text.as_bytes());
            None
        }
        Err(_) => {
            escape(out, String::from_utf8_lossy(line).as_bytes());
            Some(hex::encode(line))
        }
    };
    for part in ["\",\"stream\":\"", stream.word(), "\",\"time\":\"", time] {
        out.extend_from_slice(part.as_bytes());
    }
    if let Some(raw) = raw {
        out.extend_from_slice(b"\",\"raw\":\"");
        out.extend_from_slice(raw.as_bytes());
    }
    out.extend_from_slice(b"\"}\n");
}

/// Appends UTF-8 as the inside of a JSON string (RFC 8259, section 7): runs that need nothing are copied whole.
fn escape(out: &mut Vec<u8>, mut text: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    // `|`, not `||`: without a branch between them
    while let Some(index) = position(text, |byte| (byte < 0x20) | (byte == b'"') | (byte == b'\\')) {
        out.extend_from_slice(&text[..index]);
        match text[index] {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\r' => out.extend_from_slice(b"\\r"),
            byte @ (b'"' | b'\\') => out.extend_from_slice(&[b'\\', byte]),
            byte => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            }
        }
        text = &text[index + 1..];
    }
    out.extend_from_slice(text);
}

/// Returns where the first byte is that `is_it`.
///
/// Looks at whole groups first, and at all of a group: the compiler makes a few vector instructions of that, where one byte after
/// the other takes a third of all that a log costs.
pub(super) fn position(bytes: &[u8], is_it: impl Fn(u8) -> bool) -> Option<usize> {
    const GROUP: usize = 32;
    let is_in = |group: &[u8]| group.iter().fold(false, |found, byte| found | is_it(*byte));
    let passed = GROUP * bytes.chunks_exact(GROUP).take_while(|group| !is_in(group)).count();
    let found = bytes[passed..].iter().position(|byte| is_it(*byte))?;
    Some(passed + found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_read_back_as_they_were_written(bytes: Vec<u8>) {
            let mut out = Vec::new();
            encode(&mut out, Stream::Stderr, "2026-01-02T03:04:05.000000001Z", &bytes);
            prop_assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1);
            let entry = LogEntry::parse(&out).unwrap();
            prop_assert_eq!(entry.bytes, bytes);
            prop_assert_eq!(entry.stream, Stream::Stderr);
        }

        #[test]
        fn the_first_byte_is_found_wherever_it_is(bytes in "[ab]{0,100}") {
            let is_it = |byte| byte == b'b';
            prop_assert_eq!(position(bytes.as_bytes(), is_it), bytes.bytes().position(is_it));
        }

        #[test]
        fn foreign_lines_never_panic(bytes: Vec<u8>) {
            let _ = LogEntry::parse(&bytes);
        }
    }

    #[test]
    fn docker_would_read_it_too() {
        let mut out = Vec::new();
        encode(&mut out, Stream::Stdout, "2026-01-02T03:04:05Z", "a\"ä\u{1}\n".as_bytes());
        let text = r#"{"log":"a\"ä\u0001\n","stream":"stdout","time":"2026-01-02T03:04:05Z"}"#;
        assert_eq!(String::from_utf8(out).unwrap().trim_end(), text);
    }
}
