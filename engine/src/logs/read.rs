//! Reading a log, to its end or as it grows. Runs in the command.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

use super::LogEntry;
use super::files::{self, Opened};
use crate::{Container, Engine, Watch};

/// A line is put together from its parts up to this many bytes; a longer one comes in pieces.
const LONGEST_LINE: usize = 16 << 20;

/// Which part of a log is wanted.
#[derive(Debug, Clone, Default)]
pub struct LogQuery {
    /// Go on until the container ends.
    pub follow: bool,
    /// Only this many lines of what is there already; `None` = all.
    pub tail: Option<usize>,
    /// Nothing written before.
    pub since: Option<Timestamp>,
    /// Nothing written after.
    pub until: Option<Timestamp>,
    /// Put long lines together again; one that has not ended yet comes when it has, or when the container has.
    pub whole_lines: bool,
}

/// An iterator over a log's entries, oldest first; with `follow` it waits for more.
pub struct LogReader {
    engine: Engine,
    container: String,
    path: PathBuf,
    query: LogQuery,
    /// What is left of older files, oldest first.
    older: VecDeque<BufReader<Box<dyn Read + Send>>>,
    current: Option<BufReader<File>>,
    line: Vec<u8>,
    /// Lines that were read ahead for `tail`.
    ahead: VecDeque<LogEntry>,
    /// Entries up to this time were seen in a file that has gone.
    seen: Option<Timestamp>,
    last: Option<Timestamp>,
    /// The parts so far of a line of each stream.
    parts: [Option<LogEntry>; 2],
    watch: Option<Watch>,
}

impl Engine {
    /// Reads the log of a container.
    pub fn logs(&self, container: &Container, query: LogQuery) -> io::Result<LogReader> {
        // watch before reading: what is written in between is seen
        let watch = if query.follow {
            Some(Watch::new(&[container.paths().logs().as_path(), container.paths().dir()])?)
        } else {
            None
        };
        let mut reader = LogReader {
            engine: self.clone(),
            container: container.id.clone(),
            path: container.paths().log(),
            query,
            older: VecDeque::new(),
            current: None,
            line: Vec::new(),
            ahead: VecDeque::new(),
            seen: None,
            last: None,
            parts: [None, None],
            watch,
        };
        reader.open_all()?;
        reader.keep_tail()?;
        Ok(reader)
    }
}

impl LogReader {
    /// Opens every file.
    fn open_all(&mut self) -> io::Result<()> {
        self.older.clear();
        self.go_on_with(files::open(&self.path)?, 0);
        Ok(())
    }

    /// Reads these files next, but for the first ones.
    fn go_on_with(&mut self, files: Opened, first: usize) {
        self.older.extend(files.older.into_iter().skip(first).map(|(_, file)| BufReader::new(file)));
        self.current = files.current.map(|file| BufReader::with_capacity(64 << 10, file));
    }

    /// With `tail`, reads what is there and forgets all but the last lines.
    fn keep_tail(&mut self) -> io::Result<()> {
        let Some(tail) = self.query.tail else { return Ok(()) };
        let mut lines: VecDeque<Vec<LogEntry>> = VecDeque::new();
        while let Some(entry) = self.read_entry()? {
            // a part belongs to the line that its stream has not ended yet
            let begun = |line: &&mut Vec<LogEntry>| {
                line.last().is_some_and(|last| last.stream == entry.stream && !last.is_whole())
            };
            match lines.iter_mut().rev().take(2).find(begun) {
                Some(line) => line.push(entry),
                None => lines.push_back(vec![entry]),
            }
            while lines.len() > tail {
                lines.pop_front();
            }
        }
        self.ahead = lines.into_iter().flatten().collect();
        Ok(())
    }

    /// Returns the next entry that is in the files now.
    fn read_entry(&mut self) -> io::Result<Option<LogEntry>> {
        loop {
            let is_line = match self.older.front_mut() {
                Some(file) => {
                    file.read_until(b'\n', &mut self.line)?;
                    if !self.line.ends_with(b"\n") {
                        self.older.pop_front();
                        self.line.clear(); // half a line: the disk was full, or the power went
                        continue;
                    }
                    true
                }
                None => {
                    let Some(file) = &mut self.current else { return Ok(None) };
                    file.read_until(b'\n', &mut self.line)?;
                    self.line.ends_with(b"\n")
                }
            };
            if !is_line {
                return Ok(None); // nothing, or a line that is being written
            }
            let entry = LogEntry::parse(&self.line);
            self.line.clear();
            if let Some(entry) = entry.filter(|entry| self.seen.is_none_or(|seen| entry.time > seen)) {
                self.last = Some(entry.time);
                return Ok(Some(entry));
            }
        }
    }

    /// Returns the next entry, or waits for it; `None` at the end.
    fn advance(&mut self) -> io::Result<Option<LogEntry>> {
        loop {
            if let Some(entry) = self.ahead.pop_front() {
                return Ok(Some(entry));
            }
            if let Some(entry) = self.read_entry()? {
                return Ok(Some(entry));
            }
            if self.is_renamed() && self.is_at_end() {
                self.go_on_after_rotation()?;
                continue;
            }
            // order matters: first whether it still runs, then whether there is more, then wait
            let active = self.watch.is_some() && self.is_active();
            if self.current.is_none() {
                self.read_again()?; // its name was between two files: nobody knows how many have come and gone since
            }
            if let Some(entry) = self.read_entry()? {
                return Ok(Some(entry));
            }
            if !active && self.is_renamed() && self.is_at_end() {
                continue;
            }
            match &mut self.watch {
                Some(watch) if active => _ = watch.wait(Some(Duration::from_secs(1)))?,
                _ => return Ok(None),
            }
        }
    }

    fn is_active(&self) -> bool {
        self.engine.load_state(&self.container).is_ok_and(|state| state.status.is_active() || state.has_monitor())
    }

    /// Returns whether the file we read is no longer the current one.
    fn is_renamed(&self) -> bool {
        let Some(file) = &self.current else { return false };
        let (Ok(current), Ok(read)) = (std::fs::metadata(&self.path), file.get_ref().metadata()) else { return false };
        current.ino() != read.ino()
    }

    fn is_at_end(&mut self) -> bool {
        let Some(file) = &mut self.current else { return true };
        let length = file.get_ref().metadata().map_or(0, |read| read.len());
        file.stream_position().is_ok_and(|position| position >= length)
    }

    /// Goes on with the file that came after ours, whatever number it has by now.
    ///
    /// When ours cannot be found any more, all are read again from the oldest, and what has been seen is passed over.
    fn go_on_after_rotation(&mut self) -> io::Result<()> {
        let ours = self.current.as_ref().and_then(|file| file.get_ref().metadata().ok()).map(|ours| ours.ino());
        self.line.clear();
        let files = files::open(&self.path)?;
        let first = match files.older.iter().position(|(inode, _)| Some(*inode) == ours) {
            Some(position) => position + 1,
            None => {
                self.seen = self.last;
                0
            }
        };
        self.go_on_with(files, first);
        Ok(())
    }

    /// Begins anew with the oldest file, and passes over what has been seen.
    fn read_again(&mut self) -> io::Result<()> {
        self.seen = self.last;
        self.open_all()
    }

    /// Adds an entry to the line that its stream has begun; returns the line once it is whole.
    fn join(&mut self, entry: LogEntry) -> Option<LogEntry> {
        let begun = &mut self.parts[entry.stream as usize];
        let whole = match begun.take() {
            Some(mut line) => {
                line.bytes.extend_from_slice(&entry.bytes);
                line
            }
            None => entry,
        };
        if whole.is_whole() || whole.bytes.len() >= LONGEST_LINE {
            return Some(whole);
        }
        *begun = Some(whole);
        None
    }

    fn is_wanted(&self, entry: &LogEntry) -> bool {
        self.query.since.is_none_or(|since| entry.time >= since)
    }
}

impl Iterator for LogReader {
    type Item = io::Result<LogEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let entry = match self.advance() {
                Ok(Some(entry)) if self.query.until.is_none_or(|until| entry.time <= until) => entry,
                // lines that were never ended come last
                Ok(_) => return self.parts.iter_mut().find_map(Option::take).map(Ok),
                Err(error) => return Some(Err(error)),
            };
            if !self.is_wanted(&entry) {
                continue;
            }
            match self.query.whole_lines {
                true => match self.join(entry) {
                    Some(line) => return Some(Ok(line)),
                    None => continue,
                },
                false => return Some(Ok(entry)),
            }
        }
    }
}
