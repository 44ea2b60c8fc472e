//! DNS messages over TCP, each after its length in two bytes (RFC 1035, 4.2.2). The monitor; never waits.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

use nix::poll::PollFlags;

use crate::connect;

/// Length of a message's length in bytes.
const LENGTH: usize = 2;

/// A connection, what is still to be written to it, and the message that is being read from it.
#[derive(Debug)]
pub(super) struct Stream {
    stream: TcpStream,
    output: Vec<u8>,
    input: Vec<u8>,
}

impl Stream {
    /// Takes over a connection that somebody made to us.
    pub(super) fn accepted(stream: TcpStream) -> io::Result<Stream> {
        stream.set_nonblocking(true)?;
        Ok(Stream { stream, output: Vec::new(), input: Vec::new() })
    }

    /// Begins to connect; whether that succeeds shows when the first message is written.
    pub(super) fn connect(server: SocketAddr) -> io::Result<Stream> {
        Ok(Stream { stream: connect::begin(server)?, output: Vec::new(), input: Vec::new() })
    }

    /// Puts a message at the end of what is to be written; one too long for TCP cannot be, and is left out.
    pub(super) fn queue(&mut self, message: &[u8]) {
        if let Ok(length) = u16::try_from(message.len()) {
            self.output.extend_from_slice(&length.to_be_bytes());
            self.output.extend_from_slice(message);
        }
    }

    pub(super) fn is_writing(&self) -> bool {
        !self.output.is_empty()
    }

    /// Returns what poll(2) shall wait for.
    pub(super) fn interest(&self) -> PollFlags {
        if self.is_writing() { PollFlags::POLLOUT } else { PollFlags::POLLIN }
    }

    /// Writes what can be written now.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while self.is_writing() {
            match self.stream.write(&self.output) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => drop(self.output.drain(..written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Returns the next message if all of it is there; the end of the connection is an error.
    pub(super) fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let missing = missing(&self.input);
            if missing == 0 {
                let message = self.input.split_off(LENGTH);
                self.input.clear();
                return Ok(Some(message));
            }
            let mut part = [0; 2048];
            match self.stream.read(&mut part[..missing.min(2048)]) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => self.input.extend_from_slice(&part[..read]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Returns how many bytes more are needed, first for the length, then for the message.
fn missing(input: &[u8]) -> usize {
    match input.first_chunk::<LENGTH>() {
        None => LENGTH - input.len(),
        Some(length) => LENGTH + usize::from(u16::from_be_bytes(*length)) - input.len(),
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use nix::poll::{PollFd, PollTimeout, poll};

    use super::*;

    fn wait(stream: &Stream) {
        poll(&mut [PollFd::new(stream.as_fd(), stream.interest())], PollTimeout::from(2000u16)).unwrap();
    }

    #[test]
    fn messages_arrive_whole_and_in_order_however_they_are_cut() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut near = Stream::connect(listener.local_addr().unwrap()).unwrap();
        let mut far = listener.accept().unwrap().0;
        for part in [b"\x00".as_slice(), b"\x03ab", b"c\x00\x01d"] {
            far.write_all(part).unwrap();
        }
        let mut received = Vec::new();
        while received.len() < 2 {
            wait(&near);
            received.extend(near.receive().unwrap());
        }
        assert_eq!(received, [b"abc".to_vec(), b"d".to_vec()]);
        drop(far);
        wait(&near);
        assert!(near.receive().is_err());
    }

    #[test]
    fn a_message_is_written_after_its_length() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut near = Stream::connect(listener.local_addr().unwrap()).unwrap();
        near.queue(b"abc");
        while near.is_writing() {
            wait(&near);
            near.flush().unwrap();
        }
        let mut received = [0; 5];
        listener.accept().unwrap().0.read_exact(&mut received).unwrap();
        assert_eq!(&received, b"\x00\x03abc");
    }
}
