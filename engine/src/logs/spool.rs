//! Output on its way to the log: in a file of the run directory, so that a killed monitor neither loses nor doubles a byte.
//!
//! ```text
//! FIFO ──splice(2)──▶ header │ in the log │ not in the log yet ──▶ container.log
//!                                          ╰─ from              ╰─ end of the file
//! ```
//! splice(2) takes bytes from the FIFO and puts them into the file in one act. Before lines go to the log the header says how long
//! that is: whoever comes after a monitor that was killed then cuts the log there, and writes them once more.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use crate::sys;

/// Bytes before the output.
const HEADER: u64 = 24;
/// What may lie in the file although it is in the log, when nothing else does, in bytes.
const LEFT: u64 = 16 << 10;
/// And when something else does, which has to be moved.
const MOST_LEFT: u64 = 1 << 20;
/// Nothing is being written to the log.
const NOTHING: u64 = u64::MAX;

/// Output of one stream that is not in the log yet, and some that is.
pub(super) struct Spool {
    file: File,
    from: u64,
    end: u64,
}

/// What another monitor has left.
pub(super) struct Rest {
    /// Output that is not in the log.
    pub(super) bytes: Vec<u8>,
    /// Where the log has to be cut first, as a part of them may be in it.
    pub(super) cut: Option<u64>,
}

impl Spool {
    /// Opens the file at `path`, or makes it. One that is none of ours is emptied.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Rest)> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let length = file.metadata()?.len();
        let mut header = [0; HEADER as usize];
        let [from, end, log] = match file.read_exact_at(&mut header, 0) {
            Ok(()) => numbers(header),
            Err(_) => [HEADER, HEADER, NOTHING],
        };
        let end = if end == 0 { length } else { end.min(length) };
        let mut spool = Self { file, from, end };
        if !(HEADER..=end).contains(&from) {
            (spool.from, spool.end) = (HEADER, HEADER); // emptied, and killed before the header said so
        }
        let mut bytes = vec![0; usize::try_from(spool.end - spool.from).map_err(io::Error::other)?];
        spool.file.read_exact_at(&mut bytes, spool.from)?;
        spool.file.set_len(spool.end.max(HEADER))?;
        spool.note(spool.from, 0, log)?;
        let cut = (log != NOTHING && !bytes.is_empty()).then_some(log);
        Ok((spool, Rest { bytes, cut }))
    }

    /// Takes what is in a FIFO, at most as much as `buffer` has room for; returns how much that is. Zero: nobody writes any more.
    pub(super) fn take(&mut self, fifo: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
        let count = sys::splice(fifo, self.file.as_fd(), self.end, buffer.len())?;
        let at = self.end;
        self.end += count as u64;
        self.file.read_exact_at(&mut buffer[..count], at)?;
        Ok(count)
    }

    /// Says that what was taken goes to the log now, which is `log` bytes long.
    pub(super) fn begin(&self, log: u64) -> io::Result<()> {
        self.note(self.from, 0, log)
    }

    /// Says that the log has it, but for the last `unfinished` bytes.
    pub(super) fn done(&mut self, unfinished: usize) -> io::Result<()> {
        self.from = self.end.saturating_sub(unfinished as u64).max(HEADER);
        self.note(self.from, 0, NOTHING)?;
        match self.end - self.from {
            0 if self.end - HEADER > LEFT => self.shorten(0),
            length if self.from - HEADER > MOST_LEFT.max(length) => self.shorten(length),
            _ => Ok(()),
        }
    }

    /// Forgets everything: the next monitor shall find nothing.
    pub(super) fn give_up(&self) {
        let _ = self.file.set_len(0); // the file system that refused the bytes hardly refuses to have fewer
    }

    /// Moves the last `length` bytes to the front, where only bytes are that the log has.
    fn shorten(&mut self, length: u64) -> io::Result<()> {
        let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut bytes, self.from)?;
        self.file.write_all_at(&bytes, HEADER)?;
        self.note(HEADER, HEADER + length, NOTHING)?;
        self.file.set_len(HEADER + length)?;
        self.note(HEADER, 0, NOTHING)?;
        (self.from, self.end) = (HEADER, HEADER + length);
        Ok(())
    }

    /// Writes the header: `end` is that of what counts, 0 = the file's.
    fn note(&self, from: u64, end: u64, log: u64) -> io::Result<()> {
        self.file.write_all_at(&[from, end, log].map(u64::to_ne_bytes).concat(), 0)
    }
}

fn numbers(header: [u8; HEADER as usize]) -> [u64; 3] {
    let mut numbers = header.chunks_exact(8).map(|bytes| u64::from_ne_bytes(bytes.try_into().expect("eight bytes")));
    std::array::from_fn(|_| numbers.next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_was_taken_is_there_until_the_log_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("spool");
        let (reader, mut writer) = io::pipe().unwrap();
        let mut buffer = [0; 100];
        let (mut spool, rest) = Spool::open(&path).unwrap();
        assert!(rest.bytes.is_empty() && rest.cut.is_none());
        writer.write_all(b"one\ntwo").unwrap();
        assert_eq!(spool.take(reader.as_fd(), &mut buffer).unwrap(), 7);
        assert_eq!(&buffer[..7], b"one\ntwo");
        let (_, rest) = Spool::open(&path).unwrap();
        assert_eq!((rest.bytes.as_slice(), rest.cut), (&b"one\ntwo"[..], None));
        spool.begin(42).unwrap();
        let (_, rest) = Spool::open(&path).unwrap();
        assert_eq!((rest.bytes.as_slice(), rest.cut), (&b"one\ntwo"[..], Some(42)));
        spool.done(3).unwrap();
        let (_, rest) = Spool::open(&path).unwrap();
        assert_eq!((rest.bytes.as_slice(), rest.cut), (&b"two"[..], None));
    }

    #[test]
    fn the_file_stays_small_and_keeps_the_unfinished_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("spool");
        let (reader, mut writer) = io::pipe().unwrap();
        let (mut spool, _) = Spool::open(&path).unwrap();
        let mut buffer = vec![0; 1 << 16];
        for round in 0..200_u32 {
            writer.write_all(&[b'x'; 20_000]).unwrap();
            writer.write_all(format!("\nend {round:03}").as_bytes()).unwrap();
            assert_eq!(spool.take(reader.as_fd(), &mut buffer).unwrap(), 20_008);
            spool.done(7).unwrap();
            let length = spool.file.metadata().unwrap().len();
            assert!(length <= HEADER + MOST_LEFT + (1 << 16), "{length}");
            let rest = Spool::open(&path).unwrap().1;
            assert_eq!(rest.bytes, format!("end {round:03}").into_bytes());
        }
        spool.done(0).unwrap();
        assert!(spool.file.metadata().unwrap().len() <= HEADER + LEFT);
    }

    proptest! {
        #[test]
        fn a_damaged_file_is_no_danger(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("spool");
            std::fs::write(&path, &bytes).unwrap();
            let (spool, rest) = Spool::open(&path).unwrap();
            prop_assert!(rest.bytes.len() <= bytes.len());
            prop_assert!(spool.from <= spool.end);
        }
    }
}
