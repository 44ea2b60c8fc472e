//! Writing the log. Runs in the monitor.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::Stream;
use super::entry::{encode, position};
use super::files;
use super::send::Sender;
use super::spool::{Rest, Spool};
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

/// The line of a stream that has not ended yet, and where the next monitor finds it if this one is killed.
#[derive(Default)]
struct Unfinished {
    line: Vec<u8>,
    spool: Option<Spool>,
}

impl LogWriter {
    /// Opens the log for appending, and the way to whoever else takes the output.
    pub(crate) fn open(id: &str, spec: &ContainerSpec, paths: &ContainerPaths) -> io::Result<Self> {
        let spools = [paths.stdout(), paths.stderr()].map(|fifo| fifo.with_extension("spool"));
        let sender = Sender::open(id, spec)?;
        Self::new(&paths.log(), &spec.log, (spools.each_ref().map(PathBuf::as_path), sender))
    }

    fn new(path: &Path, options: &LogOptions, (spools, sender): ([&Path; 2], Option<Sender>)) -> io::Result<Self> {
        let unfinished = Default::default();
        let mut log = Self { path: path.to_owned(), options: options.clone(), file: None, size: 0, sender, unfinished };
        if !log.options.is_kept() {
            return Ok(log);
        }
        log.reopen()?;
        // without a spool only a killed monitor loses what it was about to write
        let opened = spools.map(|path| Spool::open(path).ok());
        let rests = opened.each_ref().map(|one| one.as_ref().map(|(_, rest)| rest));
        log.cut(&rests)?;
        for ((stream, opened), unfinished) in [Stream::Stdout, Stream::Stderr].into_iter().zip(opened).zip(0..) {
            let Some((spool, Rest { bytes, .. })) = opened else { continue };
            log.unfinished[unfinished].spool = Some(spool);
            log.append(stream, &bytes);
        }
        Ok(log)
    }

    /// Takes back what a monitor was writing when it was killed.
    fn cut(&mut self, rests: &[Option<&Rest>]) -> io::Result<()> {
        if let Some(length) = rests.iter().flatten().find_map(|rest| rest.cut).filter(|length| *length < self.size)
            && let Some(file) = &self.file
        {
            file.set_len(length)?;
            self.size = length;
        }
        Ok(())
    }

    /// Takes what is in the FIFO of a stream, at most as much as `buffer` has room for, as read(2) does; it is to be
    /// [appended](Self::append) next.
    pub(crate) fn take(&mut self, stream: Stream, fifo: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
        let unfinished = &mut self.unfinished[stream as usize];
        if let Some(spool) = &mut unfinished.spool {
            match spool.take(fifo.as_fd(), buffer) {
                Err(error) if !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                    spool.give_up(); // its disk is full: better without than not at all
                    unfinished.spool = None;
                }
                taken => return taken,
            }
        }
        fifo.read(buffer)
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
        let mut text = Vec::with_capacity(2 * bytes.len()); // of lines of 72 bytes and more: each gets as many beside it
        let Self { unfinished, sender, .. } = self;
        let line = &mut unfinished[stream as usize].line;
        let mut emit = |part: &[u8]| {
            encode(&mut text, stream, &stamp, part);
            if let Some(sender) = sender {
                sender.send(stream, time, part);
            }
        };
        let mut rest = bytes;
        while !rest.is_empty() {
            let end = position(rest, |byte| byte == b'\n').map_or(rest.len(), |newline| newline + 1);
            let (mut piece, behind) = rest.split_at(end);
            rest = behind;
            if line.is_empty() && piece.len() <= MAX_LINE && piece.ends_with(b"\n") {
                emit(piece); // nearly every line: not copied once more
                continue;
            }
            while line.len() + piece.len() > MAX_LINE {
                let room = MAX_LINE.saturating_sub(line.len());
                line.extend_from_slice(&piece[..room]);
                piece = &piece[room..];
                let over = line.split_off(cut(line));
                emit(line);
                *line = over;
            }
            line.extend_from_slice(piece);
            if line.ends_with(b"\n") {
                emit(line);
                line.clear();
            }
        }
        self.write(stream, &text);
    }

    /// Writes lines that were never ended.
    pub(crate) fn finish(&mut self) {
        let time = Timestamp::now();
        for stream in [Stream::Stdout, Stream::Stderr] {
            let line = std::mem::take(&mut self.unfinished[stream as usize].line);
            if !line.is_empty() && self.options.is_kept() {
                let mut text = Vec::new();
                encode(&mut text, stream, &time.to_string(), &line);
                self.write(stream, &text);
                if let Some(sender) = &mut self.sender {
                    sender.send(stream, time, &line);
                }
            }
        }
    }

    /// Writes whole entries of a stream.
    fn write(&mut self, stream: Stream, text: &[u8]) {
        if text.is_empty() {
            return;
        }
        if self.size > 0 && self.size.saturating_add(text.len() as u64) > self.options.max_size {
            let _ = self.rotate(); // on a full disk the old file simply grows
        }
        if self.file.is_none() {
            let _ = self.reopen();
        }
        self.unfinished[stream as usize].spooled(|spool, _| spool.begin(self.size));
        if let Some(file) = &mut self.file {
            match file.write_all(text) {
                Ok(()) => self.size += text.len() as u64,
                // part of a line may be in the file: end it, so that the next one can be read
                Err(_) => {
                    let _ = file.write_all(b"\n");
                    self.size = file.metadata().map_or(self.size, |found| found.len());
                }
            }
        }
        self.unfinished[stream as usize].spooled(Spool::done);
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
    /// Says something to the spool, if there is one; who does not hear it is done without.
    fn spooled(&mut self, say: impl FnOnce(&mut Spool, usize) -> io::Result<()>) {
        if let Some(spool) = &mut self.spool
            && say(spool, self.line.len()).is_err()
        {
            spool.give_up();
            self.spool = None;
        }
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
        let spools = [dir.join("stdout.spool"), dir.join("stderr.spool")];
        LogWriter::new(&dir.join("container.log"), options, (spools.each_ref().map(PathBuf::as_path), None)).unwrap()
    }

    /// Takes bytes as from a FIFO; they go to the log if `is_lucky`.
    fn take(log: &mut LogWriter, bytes: &[u8], is_lucky: bool) {
        let (reader, mut writer) = io::pipe().unwrap();
        let mut fifo = File::from(std::os::fd::OwnedFd::from(reader));
        writer.write_all(bytes).unwrap();
        let mut buffer = [0; 100];
        let count = log.take(Stream::Stdout, &mut fifo, &mut buffer).unwrap();
        assert_eq!(&buffer[..count], bytes);
        if is_lucky {
            log.append(Stream::Stdout, bytes);
        }
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
        take(&mut open(dir.path(), &LogOptions::default()), b"done\nhalf a ", true);
        take(&mut open(dir.path(), &LogOptions::default()), b"line\n", true);
        assert_eq!(lines(dir.path()), ["done\n", "half a line\n"]);
        take(&mut open(dir.path(), &LogOptions::default()), b"next\n", true);
        assert_eq!(lines(dir.path()), ["done\n", "half a line\n", "next\n"]);
    }

    #[test]
    fn what_a_killed_monitor_has_taken_is_in_the_log_once() {
        let dir = tempfile::tempdir().unwrap();
        take(&mut open(dir.path(), &LogOptions::default()), b"one\ntwo\nthr", false);
        let mut next = open(dir.path(), &LogOptions::default());
        assert_eq!(lines(dir.path()), ["one\n", "two\n"]);
        // killed in the middle of the write, and right after it
        for written in
            ["{\"log\":\"thr", "{\"log\":\"three\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-02T03:04:05Z\"}\n"]
        {
            take(&mut next, b"ee\n", false);
            let size = next.size;
            next.unfinished[0].spooled(|spool, _| spool.begin(size));
            next.file.as_mut().unwrap().write_all(written.as_bytes()).unwrap();
            next = open(dir.path(), &LogOptions::default());
            assert_eq!(lines(dir.path()).concat().matches("ee\n").count(), lines(dir.path()).len() - 2);
            take(&mut next, b"thr", true);
        }
        next.finish();
        assert_eq!(lines(dir.path()), ["one\n", "two\n", "three\n", "three\n", "thr"]);
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
