//! The stream between an attached client and the monitor: frames of one kind byte, a length, and bytes.
//!
//! ```text
//! kind (1 byte) │ length (4 bytes, big endian) │ payload
//! ```
//! From the monitor: output. To the monitor: input, its end, the terminal's size. Both sides are lighter of the same
//! version or of versions that agree on this table.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use crate::Stream;

/// Longest payload, in bytes; a longer one is an error, so that no peer can make us allocate.
pub(crate) const MAX_PAYLOAD: usize = 64 << 10;

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// Output of the container.
    Output(Stream, Vec<u8>),
    /// Input for the container.
    Input(Vec<u8>),
    /// There is no more input.
    EndOfInput,
    /// The client's terminal has this many rows and columns.
    Resize(u16, u16),
    /// The container has ended for good with this exit code; the last frame.
    Exit(i32),
    /// The process is to get this signal: between hosts only, on one host a signal needs no frame.
    Signal(i32),
}

impl Frame {
    fn kind(&self) -> u8 {
        match self {
            Self::Input(_) => 0,
            Self::Output(Stream::Stdout, _) => 1,
            Self::Output(Stream::Stderr, _) => 2,
            Self::EndOfInput => 3,
            Self::Resize(..) => 4,
            Self::Exit(_) => 5,
            Self::Signal(_) => 6,
        }
    }

    fn decode(kind: u8, payload: Vec<u8>) -> io::Result<Self> {
        match (kind, payload.as_slice()) {
            (0, _) => Ok(Self::Input(payload)),
            (1, _) => Ok(Self::Output(Stream::Stdout, payload)),
            (2, _) => Ok(Self::Output(Stream::Stderr, payload)),
            (3, []) => Ok(Self::EndOfInput),
            (4, [r1, r0, c1, c0]) => Ok(Self::Resize(u16::from_be_bytes([*r1, *r0]), u16::from_be_bytes([*c1, *c0]))),
            (5, [b3, b2, b1, b0]) => Ok(Self::Exit(i32::from_be_bytes([*b3, *b2, *b1, *b0]))),
            (6, [b3, b2, b1, b0]) => Ok(Self::Signal(i32::from_be_bytes([*b3, *b2, *b1, *b0]))),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, format!("frame of unknown kind {kind}"))),
        }
    }

    /// Returns the frame's bytes on the wire.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let payload: &[u8] = match self {
            Self::Input(bytes) | Self::Output(_, bytes) => bytes,
            Self::EndOfInput => &[],
            Self::Resize(rows, columns) => &[rows.to_be_bytes(), columns.to_be_bytes()].concat(),
            Self::Exit(number) | Self::Signal(number) => &number.to_be_bytes(),
        };
        let length = u32::try_from(payload.len()).expect("payloads are read in pieces of at most MAX_PAYLOAD");
        [&[self.kind()], length.to_be_bytes().as_slice(), payload].concat()
    }
}

/// Writes one frame.
pub fn write_frame(to: &mut impl Write, frame: &Frame) -> io::Result<()> {
    to.write_all(&frame.encode())
}

/// Puts frames together from pieces of any size.
#[derive(Debug, Default)]
pub struct FrameReader {
    buffer: Vec<u8>,
}

impl FrameReader {
    /// Takes what has arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Returns the next whole frame.
    pub fn next_frame(&mut self) -> io::Result<Option<Frame>> {
        let [kind, l3, l2, l1, l0, rest @ ..] = self.buffer.as_slice() else { return Ok(None) };
        let length = u32::from_be_bytes([*l3, *l2, *l1, *l0]) as usize;
        if length > MAX_PAYLOAD {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("frame of {length} bytes")));
        }
        if rest.len() < length {
            return Ok(None);
        }
        let frame = Frame::decode(*kind, rest[..length].to_vec())?;
        self.buffer.drain(..5 + length);
        Ok(Some(frame))
    }
}

/// Returns another way to `path` that fits into the 108 bytes of a socket's address (unix(7)), however deep it lies.
///
/// It leads through a descriptor of its directory, and so only as long as the returned file is kept.
pub(crate) fn short_path(path: &Path) -> io::Result<(File, PathBuf)> {
    let directory = File::open(path.parent().unwrap_or(Path::new("/")))?;
    let name = path.file_name().unwrap_or_default();
    let short = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(name);
    Ok((directory, short))
}

/// The client's end of an attachment.
#[derive(Debug)]
pub struct AttachClient {
    stream: UnixStream,
    reader: FrameReader,
}

impl AttachClient {
    pub(crate) fn new(stream: UnixStream) -> Self {
        Self { stream, reader: FrameReader::default() }
    }

    /// Connects to the monitor of a running container.
    pub fn connect(container: &crate::Container) -> io::Result<Self> {
        let (_directory, path) = short_path(&container.paths().attach())?;
        Ok(Self::new(UnixStream::connect(path)?))
    }

    /// Returns the descriptor to poll for output.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// Sends input, its end, or the terminal's size; waits while the container does not read.
    pub fn send(&mut self, frame: &Frame) -> io::Result<()> {
        write_frame(&mut self.stream, frame)
    }

    /// Waits for output; `None` = the container has ended or the monitor is gone.
    pub fn receive(&mut self) -> io::Result<Option<Frame>> {
        let mut piece = [0; 16 << 10];
        loop {
            if let Some(frame) = self.reader.next_frame()? {
                return Ok(Some(frame));
            }
            match self.stream.read(&mut piece) {
                Ok(0) => return Ok(None),
                Ok(count) => self.reader.push(&piece[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns a frame that has arrived whole, without waiting: one reading may have brought several.
    pub fn arrived(&mut self) -> io::Result<Option<Frame>> {
        self.reader.next_frame()
    }

    /// Ends the attachment, for every handle on it; the container goes on.
    pub fn close(&self) -> io::Result<()> {
        self.stream.shutdown(std::net::Shutdown::Both)
    }

    /// Returns a second handle on the same connection, for sending from another thread.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self::new(self.stream.try_clone()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn frames_survive_any_cutting() {
        let frames = [
            Frame::Input(b"abc".to_vec()),
            Frame::EndOfInput,
            Frame::Resize(24, 80),
            Frame::Output(Stream::Stderr, vec![]),
        ];
        let bytes: Vec<u8> = frames.iter().flat_map(Frame::encode).collect();
        let mut reader = FrameReader::default();
        let mut seen = Vec::new();
        for byte in bytes {
            reader.push(&[byte]);
            seen.extend(reader.next_frame().unwrap());
        }
        assert_eq!(seen, frames);
    }

    proptest! {
        #[test]
        fn foreign_bytes_never_panic(bytes: Vec<u8>) {
            let mut reader = FrameReader::default();
            reader.push(&bytes);
            while let Ok(Some(_)) = reader.next_frame() {}
        }
    }
}
