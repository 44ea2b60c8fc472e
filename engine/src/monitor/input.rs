//! The container's input: a FIFO or its terminal, fed by whoever is attached.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use super::output::{make_fifo, open, set_nonblocking};

/// Bytes that may wait for the container before clients are kept waiting.
const LIMIT: usize = 64 << 10;

/// The way in.
#[derive(Default)]
pub(super) struct Input {
    file: Option<File>,
    pending: Vec<u8>,
    ending: bool,
    is_terminal: bool,
}

impl Input {
    /// Returns our end and the container's of a FIFO at `path`.
    pub(super) fn fifo(path: &Path) -> io::Result<(Self, OwnedFd)> {
        make_fifo(path)?;
        // an end that is both lets the one-way ends open without waiting for each other
        let both = open(path, true, true)?;
        let theirs = OpenOptions::new().read(true).open(path)?;
        let ours = Self::reopen(path)?;
        drop(both);
        Ok((ours, theirs.into()))
    }

    /// Opens our end of a FIFO whose other end a running container has.
    pub(super) fn reopen(path: &Path) -> io::Result<Self> {
        Ok(Self { file: Some(open(path, false, true)?), ..Self::default() })
    }

    /// Takes the controlling end of the container's terminal.
    pub(super) fn terminal(master: OwnedFd) -> io::Result<Self> {
        set_nonblocking(&master)?;
        Ok(Self { file: Some(File::from(master)), is_terminal: true, ..Self::default() })
    }

    /// Returns whether more may be pushed.
    pub(super) fn has_room(&self) -> bool {
        self.pending.len() < LIMIT
    }

    /// Returns the descriptor to poll for writing, if something waits.
    pub(super) fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.file.as_ref().filter(|_| !self.pending.is_empty()).map(AsFd::as_fd)
    }

    /// Returns the terminal, for its size.
    pub(super) fn terminal_fd(&self) -> Option<BorrowedFd<'_>> {
        self.file.as_ref().filter(|_| self.is_terminal).map(AsFd::as_fd)
    }

    /// Takes input for the container.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.file.is_some() && !self.ending {
            self.pending.extend_from_slice(bytes);
            self.flush();
        }
    }

    /// Closes the input once everything pushed has been read; a terminal stays open.
    pub(super) fn end(&mut self) {
        self.ending = !self.is_terminal;
        self.flush();
    }

    /// Writes what the container takes now.
    pub(super) fn flush(&mut self) {
        while let (Some(file), false) = (&mut self.file, self.pending.is_empty()) {
            match file.write(&self.pending) {
                Ok(count) => _ = self.pending.drain(..count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // the container has closed its input: what it does not read is nobody's
                Err(_) => {
                    self.pending.clear();
                    self.file = None;
                }
            }
        }
        if self.ending {
            self.file = None;
        }
    }
}
