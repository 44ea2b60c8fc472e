//! Bounded pipes between the threads of a pipeline.
//!
//! Runs in the shell command's process. A pipe's end is an end only if the writer said so: a writer that fails or dies
//! leaves its reader with an error, never with a short but plausible stream.

use std::io::{self, BufRead, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Pieces that may wait in a pipe: enough to even out short stalls, few enough to bound memory.
const DEPTH: usize = 8;

/// The writing side.
pub(crate) struct PipeWriter<T> {
    sender: SyncSender<Option<T>>,
}

/// The reading side: a buffered reader over the pieces, which are not copied.
pub(crate) struct PipeReader<T> {
    receiver: Receiver<Option<T>>,
    piece: Option<T>,
    position: usize,
    is_at_end: bool,
}

/// The other side is gone.
#[derive(Debug)]
pub(crate) struct Closed;

/// Makes a pipe.
pub(crate) fn pipe<T: AsRef<[u8]>>() -> (PipeWriter<T>, PipeReader<T>) {
    let (sender, receiver) = sync_channel(DEPTH);
    (PipeWriter { sender }, PipeReader { receiver, piece: None, position: 0, is_at_end: false })
}

impl<T> PipeWriter<T> {
    /// Sends one piece, waiting for room.
    pub(crate) fn send(&self, piece: T) -> Result<(), Closed> {
        self.sender.send(Some(piece)).map_err(|_| Closed)
    }

    /// Says that the stream is complete.
    pub(crate) fn finish(self) {
        // A reader that has gone needs no end.
        let _ = self.sender.send(None);
    }
}

impl<T: AsRef<[u8]>> BufRead for PipeReader<T> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while !self.is_at_end && self.piece.as_ref().is_none_or(|piece| piece.as_ref().len() == self.position) {
            (self.piece, self.position) = (None, 0);
            match self.receiver.recv() {
                Ok(Some(piece)) => self.piece = Some(piece),
                Ok(None) => self.is_at_end = true,
                Err(_) => return Err(io::ErrorKind::BrokenPipe.into()),
            }
        }
        Ok(self.piece.as_ref().map_or(&[], |piece| &piece.as_ref()[self.position..]))
    }

    fn consume(&mut self, amount: usize) {
        self.position += amount;
    }
}

impl<T: AsRef<[u8]>> Read for PipeReader<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let piece = self.fill_buf()?;
        let length = piece.len().min(buffer.len());
        buffer[..length].copy_from_slice(&piece[..length]);
        self.consume(length);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_read_in_order_up_to_the_end() {
        let (writer, mut reader) = pipe();
        for piece in ["one ", "", "two"] {
            writer.send(piece).unwrap();
        }
        writer.finish();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "one two");
    }

    #[test]
    fn a_writer_that_dies_is_an_error_and_not_an_end() {
        let (writer, mut reader) = pipe();
        writer.send("one").unwrap();
        drop(writer);
        let mut text = String::new();
        assert_eq!(reader.read_to_string(&mut text).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
