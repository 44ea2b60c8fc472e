//! Writing the log. Runs in the monitor.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::{LogEntry, Stream};
use crate::spec::LogOptions;

/// A line longer than this is written in parts, in bytes: Docker's 16 KiB.
const MAX_LINE: usize = 16 << 10;

/// The log of one container.
pub(crate) struct LogWriter {
    path: PathBuf,
    options: LogOptions,
    file: Option<File>,
    size: u64,
    /// The unfinished line of each stream.
    partial: [Vec<u8>; 2],
}

impl LogWriter {
    /// Opens the log for appending.
    pub(crate) fn open(path: &Path, options: &LogOptions) -> io::Result<Self> {
        let mut log =
            Self { path: path.to_owned(), options: options.clone(), file: None, size: 0, partial: Default::default() };
        if !options.none {
            log.reopen()?;
        }
        Ok(log)
    }

    /// Takes what a stream delivered; complete lines are in the file when this returns.
    ///
    /// A full disk loses lines but never stops the container.
    pub(crate) fn append(&mut self, stream: Stream, bytes: &[u8]) {
        if self.file.is_none() && self.options.none {
            return;
        }
        let time = Timestamp::now();
        let mut text = Vec::new();
        let partial = &mut self.partial[stream as usize];
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            partial.extend_from_slice(piece);
            while partial.len() > MAX_LINE {
                let rest = partial.split_off(cut(partial));
                encode(&mut text, stream, time, partial);
                *partial = rest;
            }
            if partial.ends_with(b"\n") {
                encode(&mut text, stream, time, partial);
                partial.clear();
            }
        }
        self.write(&text);
    }

    /// Writes lines that were never ended.
    pub(crate) fn finish(&mut self) {
        let time = Timestamp::now();
        for stream in [Stream::Stdout, Stream::Stderr] {
            let partial = std::mem::take(&mut self.partial[stream as usize]);
            if !partial.is_empty() && !self.options.none {
                let mut text = Vec::new();
                encode(&mut text, stream, time, &partial);
                self.write(&text);
            }
        }
    }

    fn write(&mut self, text: &[u8]) {
        if text.is_empty() {
            return;
        }
        if self.size > 0 && self.size + text.len() as u64 > self.options.max_size {
            let _ = self.rotate(); // on a full disk the old file simply grows
        }
        if self.file.is_none() {
            let _ = self.reopen();
        }
        if let Some(file) = &mut self.file {
            match file.write_all(text) {
                Ok(()) => self.size += text.len() as u64,
                // part of a line may be in the file: end it, so that the next one can be read
                Err(_) => _ = file.write_all(b"\n"),
            }
        }
    }

    /// container.log → container.log.1 → container.log.2 …
    fn rotate(&mut self) -> io::Result<()> {
        let numbered = |number: u32| self.path.with_extension(format!("log.{number}"));
        for number in (1..self.options.max_files.saturating_sub(1)).rev() {
            let _ = fs::rename(numbered(number), numbered(number + 1));
        }
        if self.options.max_files > 1 {
            fs::rename(&self.path, numbered(1))?;
        } else {
            fs::remove_file(&self.path)?;
        }
        self.reopen()
    }

    fn reopen(&mut self) -> io::Result<()> {
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)?;
        self.size = file.metadata()?.len();
        self.file = Some(file);
        Ok(())
    }
}

/// Returns where to cut a long line: not inside a character.
fn cut(line: &[u8]) -> usize {
    let is_continuation = |byte: u8| byte & 0xc0 == 0x80;
    (MAX_LINE - 3..=MAX_LINE).rev().find(|index| !is_continuation(line[*index])).unwrap_or(MAX_LINE)
}

fn encode(text: &mut Vec<u8>, stream: Stream, time: Timestamp, line: &[u8]) {
    let entry = LogEntry { log: String::from_utf8_lossy(line).into_owned(), stream, time };
    serde_json::to_writer(&mut *text, &entry).expect("writing to memory cannot fail, and the entry has no map");
    text.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &Path) -> Vec<String> {
        let text = fs::read_to_string(path).unwrap();
        text.lines().map(|line| serde_json::from_str::<LogEntry>(line).unwrap().log).collect()
    }

    #[test]
    fn lines_are_kept_whole_and_the_unfinished_last_one_too() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("container.log");
        let mut log = LogWriter::open(&path, &LogOptions::default()).unwrap();
        log.append(Stream::Stdout, b"one\ntw");
        log.append(Stream::Stderr, b"err\n");
        log.append(Stream::Stdout, b"o\nthr");
        assert_eq!(lines(&path), ["one\n", "err\n", "two\n"]);
        log.finish();
        assert_eq!(lines(&path)[3], "thr");
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("container.log");
        let mut log = LogWriter::open(&path, &LogOptions::default()).unwrap();
        let long = "ä".repeat(20_000) + "\n";
        log.append(Stream::Stdout, long.as_bytes());
        assert_eq!(lines(&path).concat(), long);
    }

    #[test]
    fn the_log_never_grows_beyond_its_files() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("container.log");
        let options = LogOptions { none: false, max_size: 1000, max_files: 3 };
        let mut log = LogWriter::open(&path, &options).unwrap();
        for _ in 0..200 {
            log.append(Stream::Stdout, b"a line of output\n");
        }
        let sizes: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().metadata().unwrap().len()).collect();
        assert_eq!(sizes.len(), 3);
        assert!(sizes.iter().all(|size| *size <= 1000), "{sizes:?}");
    }
}
