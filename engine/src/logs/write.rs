//! Writing the log. Runs in the monitor.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::Stream;
use super::entry::encode;
use super::files;
use super::send::Sender;
use crate::layout::ContainerPaths;
use crate::spec::{ContainerSpec, LogOptions};

/// A line longer than this is written in parts, in bytes: Docker's 16 KiB.
const MAX_LINE: usize = 16 << 10;

/// The log of one container.
pub(crate) struct LogWriter {
    path: PathBuf,
    options: LogOptions,
    file: Option<File>,
    size: u64,
    sender: Option<Sender>,
    unfinished: [Unfinished; 2],
}

/// The line of a stream that has not ended yet. A copy in a file lets the next monitor end it if this one is killed.
struct Unfinished {
    line: Vec<u8>,
    copy: Option<File>,
    /// The copy holds something.
    is_kept: bool,
}

impl LogWriter {
    /// Opens the log for appending, and the way to whoever else takes the output.
    pub(crate) fn open(id: &str, spec: &ContainerSpec, paths: &ContainerPaths) -> io::Result<Self> {
        let copies = [paths.stdout(), paths.stderr()].map(|fifo| fifo.with_extension("line"));
        let mut log = Self::new(&paths.log(), &spec.log, copies.each_ref().map(PathBuf::as_path));
        log.sender = Sender::open(id, spec)?;
        if log.options.is_kept() {
            log.reopen()?;
        }
        Ok(log)
    }

    fn new(path: &Path, options: &LogOptions, copies: [&Path; 2]) -> Self {
        let unfinished = copies.map(Unfinished::open);
        Self { path: path.to_owned(), options: options.clone(), file: None, size: 0, sender: None, unfinished }
    }

    /// Takes what a stream delivered; complete lines are in the file when this returns.
    ///
    /// A full disk loses lines but never stops the container.
    pub(crate) fn append(&mut self, stream: Stream, bytes: &[u8]) {
        if !self.options.is_kept() {
            return;
        }
        let time = Timestamp::now();
        let stamp = time.to_string();
        let mut text = Vec::with_capacity(bytes.len() + bytes.len() / 2);
        let Self { unfinished, sender, .. } = self;
        let line = &mut unfinished[stream as usize].line;
        let mut emit = |part: &[u8]| {
            encode(&mut text, stream, &stamp, part);
            if let Some(sender) = sender {
                sender.send(stream, time, part);
            }
        };
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let mut piece = piece;
            if line.is_empty() && piece.len() <= MAX_LINE && piece.ends_with(b"\n") {
                emit(piece); // nearly every line: not copied once more
                continue;
            }
            while line.len() + piece.len() > MAX_LINE {
                let room = MAX_LINE.saturating_sub(line.len());
                line.extend_from_slice(&piece[..room]);
                piece = &piece[room..];
                let rest = line.split_off(cut(line));
                emit(line);
                *line = rest;
            }
            line.extend_from_slice(piece);
            if line.ends_with(b"\n") {
                emit(line);
                line.clear();
            }
        }
        self.write(&text);
        self.unfinished[stream as usize].keep();
    }

    /// Writes lines that were never ended.
    pub(crate) fn finish(&mut self) {
        let time = Timestamp::now();
        for stream in [Stream::Stdout, Stream::Stderr] {
            let line = std::mem::take(&mut self.unfinished[stream as usize].line);
            if !line.is_empty() && self.options.is_kept() {
                let mut text = Vec::new();
                encode(&mut text, stream, &time.to_string(), &line);
                self.write(&text);
                self.unfinished[stream as usize].keep();
                if let Some(sender) = &mut self.sender {
                    sender.send(stream, time, &line);
                }
            }
        }
    }

    fn write(&mut self, text: &[u8]) {
        if text.is_empty() {
            return;
        }
        if self.size > 0 && self.size.saturating_add(text.len() as u64) > self.options.max_size {
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

    fn rotate(&mut self) -> io::Result<()> {
        let rotated = files::rotate(&self.path, self.options.max_files, self.options.compress);
        self.reopen()?;
        rotated
    }

    fn reopen(&mut self) -> io::Result<()> {
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)?;
        self.size = file.metadata()?.len();
        self.file = Some(file);
        Ok(())
    }
}

impl Unfinished {
    /// Goes on with the line that a monitor before us has left at `path`.
    fn open(path: &Path) -> Self {
        let line = std::fs::read(path).unwrap_or_default();
        // without a copy only a killed monitor loses the line
        let copy = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).ok();
        Self { is_kept: !line.is_empty(), line, copy }
    }

    /// Makes the copy what the line is.
    fn keep(&mut self) {
        let Some(copy) = self.copy.as_ref().filter(|_| self.is_kept || !self.line.is_empty()) else { return };
        let length = self.line.len() as u64;
        let _ = copy.write_all_at(&self.line, 0).and_then(|()| copy.set_len(length));
        self.is_kept = !self.line.is_empty();
    }
}

/// Returns where to cut a line of `MAX_LINE` bytes: not inside a character.
fn cut(line: &[u8]) -> usize {
    let is_start = |index: &usize| line[*index] & 0xc0 != 0x80;
    match (MAX_LINE - 4..MAX_LINE).rev().find(is_start) {
        Some(start) if std::str::from_utf8(&line[start..]).is_err() => start,
        _ => MAX_LINE,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::LogEntry;

    fn open(dir: &Path, options: &LogOptions) -> LogWriter {
        let copies = [dir.join("stdout.line"), dir.join("stderr.line")];
        LogWriter::new(&dir.join("container.log"), options, copies.each_ref().map(PathBuf::as_path))
    }

    fn lines(dir: &Path) -> Vec<String> {
        let text = fs::read(dir.join("container.log")).unwrap();
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| LogEntry::parse(line).unwrap().text().into_owned()).collect()
    }

    #[test]
    fn lines_are_kept_whole_and_the_unfinished_last_one_too() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = open(dir.path(), &LogOptions::default());
        log.append(Stream::Stdout, b"one\ntw");
        log.append(Stream::Stderr, b"err\n");
        log.append(Stream::Stdout, b"o\nthr");
        assert_eq!(lines(dir.path()), ["one\n", "err\n", "two\n"]);
        log.finish();
        assert_eq!(lines(dir.path())[3], "thr");
    }

    #[test]
    fn a_monitor_that_is_killed_leaves_its_unfinished_line_to_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = open(dir.path(), &LogOptions::default());
        first.append(Stream::Stdout, b"done\nhalf a ");
        drop(first);
        let mut second = open(dir.path(), &LogOptions::default());
        second.append(Stream::Stdout, b"line\n");
        assert_eq!(lines(dir.path()), ["done\n", "half a line\n"]);
        drop(second);
        let mut third = open(dir.path(), &LogOptions::default());
        third.append(Stream::Stdout, b"next\n");
        assert_eq!(lines(dir.path()), ["done\n", "half a line\n", "next\n"]);
    }

    #[test]
    fn a_long_line_is_cut_between_characters_and_a_binary_one_anywhere() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = open(dir.path(), &LogOptions::default());
        let long = "xä".repeat(20_000) + "\n";
        long.as_bytes().chunks(7_001).for_each(|piece| log.append(Stream::Stdout, piece));
        assert_eq!(lines(dir.path()).concat(), long);
        assert!(lines(dir.path()).len() >= 4);
        let binary = vec![0x80; 40_000];
        log.append(Stream::Stderr, &binary);
        log.finish();
        let text = fs::read(dir.path().join("container.log")).unwrap();
        let entries = text.split(|byte| *byte == b'\n').filter_map(LogEntry::parse);
        let bytes: Vec<u8> = entries.filter(|entry| entry.stream == Stream::Stderr).flat_map(|e| e.bytes).collect();
        assert_eq!(bytes, binary);
    }

    #[test]
    fn the_log_never_grows_beyond_its_files() {
        for compress in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let options = LogOptions { max_size: 1000, max_files: 3, compress, ..LogOptions::default() };
            let mut log = open(dir.path(), &options);
            for _ in 0..200 {
                log.append(Stream::Stdout, b"a line of output\n");
            }
            let entries = fs::read_dir(dir.path()).unwrap().map(Result::unwrap);
            let logs: Vec<_> = entries.filter(|e| e.file_name().to_string_lossy().starts_with("container")).collect();
            assert_eq!(logs.len(), 3, "{logs:?}");
            assert!(logs.iter().all(|entry| entry.metadata().unwrap().len() <= 1000));
            assert_eq!(dir.path().join("container.log.1.gz").exists(), compress);
        }
    }
}
