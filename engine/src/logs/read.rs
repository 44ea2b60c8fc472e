//! Reading a log, to its end or as it grows. Runs in the command.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use super::LogEntry;
use crate::{Container, Engine, Watch};

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
}

/// An iterator over a log's entries, oldest first; with `follow` it waits for more.
pub struct LogReader {
    engine: Engine,
    container: String,
    path: PathBuf,
    query: LogQuery,
    pending: VecDeque<LogEntry>,
    file: Option<BufReader<File>>,
    line: Vec<u8>,
    watch: Option<Watch>,
}

impl Engine {
    /// Reads the log of a container.
    pub fn logs(&self, container: &Container, query: LogQuery) -> io::Result<LogReader> {
        let path = container.paths().log();
        // watch before reading: what is written in between is seen
        let watch = if query.follow {
            Some(Watch::new(&[container.paths().logs().as_path(), container.paths().dir()])?)
        } else {
            None
        };
        let mut reader = LogReader {
            engine: self.clone(),
            container: container.id.clone(),
            path: path.clone(),
            query,
            pending: VecDeque::new(),
            file: None,
            line: Vec::new(),
            watch,
        };
        reader.read_rotated()?;
        reader.open()?;
        reader.keep_tail()?;
        Ok(reader)
    }
}

impl LogReader {
    fn read_rotated(&mut self) -> io::Result<()> {
        let mut number = 1;
        while rotated(&self.path, number).exists() {
            number += 1;
        }
        for number in (1..number).rev() {
            match File::open(rotated(&self.path, number)) {
                Ok(file) => self
                    .pending
                    .extend(BufReader::new(file).split(b'\n').map_while(Result::ok).filter_map(|line| parse(&line))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {} // rotated away just now
                Err(error) => return Err(error),
            }
            self.drop_surplus();
        }
        Ok(())
    }

    /// With `tail`, reads what is there and forgets all but the last lines.
    fn keep_tail(&mut self) -> io::Result<()> {
        if self.query.tail.is_none() {
            return Ok(());
        }
        while let Some(entry) = self.read_entry()? {
            self.pending.push_back(entry);
            self.drop_surplus();
        }
        Ok(())
    }

    fn drop_surplus(&mut self) {
        if let Some(tail) = self.query.tail {
            let surplus = self.pending.len().saturating_sub(tail);
            self.pending.drain(..surplus);
        }
    }

    fn open(&mut self) -> io::Result<()> {
        match File::open(&self.path) {
            Ok(file) => self.file = Some(BufReader::new(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn read_entry(&mut self) -> io::Result<Option<LogEntry>> {
        loop {
            let Some(file) = &mut self.file else { return Ok(None) };
            file.read_until(b'\n', &mut self.line)?;
            if !self.line.ends_with(b"\n") {
                return Ok(None); // nothing, or a line that is being written
            }
            let entry = parse(&self.line);
            self.line.clear();
            if entry.is_some() {
                return Ok(entry);
            }
        }
    }

    /// Returns the next entry, or waits for it; `None` at the end.
    fn advance(&mut self) -> io::Result<Option<LogEntry>> {
        loop {
            if let Some(entry) = self.pending.pop_front() {
                return Ok(Some(entry));
            }
            if let Some(entry) = self.read_entry()? {
                return Ok(Some(entry));
            }
            if self.file_was_rotated() {
                self.open()?;
                continue;
            }
            // order matters: first whether it still runs, then whether there is more, then wait
            let active = self.watch.is_some() && self.is_active();
            if let Some(entry) = self.read_entry()? {
                return Ok(Some(entry));
            }
            match &mut self.watch {
                Some(watch) if active => watch.wait(Some(Duration::from_secs(1)))?,
                _ => return Ok(None),
            };
            if self.file.is_none() {
                self.open()?;
            }
        }
    }

    fn is_active(&self) -> bool {
        self.engine.load_state(&self.container).is_ok_and(|state| state.status.is_active() || state.has_monitor())
    }

    fn file_was_rotated(&mut self) -> bool {
        let Some(file) = &mut self.file else { return false };
        let (Ok(current), Ok(read)) = (std::fs::metadata(&self.path), file.get_ref().metadata()) else { return false };
        let at_end = file.stream_position().is_ok_and(|position| position >= read.len());
        current.ino() != read.ino() && at_end
    }
}

impl Iterator for LogReader {
    type Item = io::Result<LogEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let entry = match self.advance() {
                Ok(entry) => entry?,
                Err(error) => return Some(Err(error)),
            };
            if self.query.until.is_some_and(|until| entry.time > until) {
                return None;
            }
            if self.query.since.is_none_or(|since| entry.time >= since) {
                return Some(Ok(entry));
            }
        }
    }
}

fn rotated(path: &Path, number: u32) -> PathBuf {
    path.with_extension(format!("log.{number}"))
}

fn parse(line: &[u8]) -> Option<LogEntry> {
    serde_json::from_slice(line).ok()
}
