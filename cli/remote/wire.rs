//! What goes over the connection, both ways: frames, of which runs form sections.
//!
//! ```text
//! there │ header (JSON) · end │ archive (tar) · end │ input, its end, sizes of the terminal, signals …
//! back  │ GREETING │ output and error output … │ archive of what was asked for (tar) · end │ exit
//! ```
//! A section is its bytes in frames of input, and the frame that ends input.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use lighter_engine::{Frame, FrameReader, write_frame};

/// First thing that the other side says; whatever a login script prints comes before it.
pub(super) const GREETING: &[u8] = b"\0lighter remote 1\n";

/// Longest text that a login script may print before the greeting, in bytes.
const MAX_BANNER: usize = 64 << 10;

/// Longest header, in bytes.
const MAX_HEADER: u64 = 16 << 20;

/// Bytes of a section in one frame.
const PIECE: usize = 32 << 10;

/// What is to be done, and with what.
#[derive(Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Header {
    /// The command line, program first, byte for byte.
    pub(super) arguments: Vec<Vec<u8>>,
    /// Variables that the command line or the verb may ask for.
    pub(super) environment: BTreeMap<String, String>,
    /// The folder that the user is in, on the user's host.
    pub(super) working_directory: PathBuf,
    /// Rows and columns of the user's terminal, if all of input and outputs are one.
    pub(super) terminal: Option<(u16, u16)>,
    /// Files and folders of the user's host; in the archive they are called by their place in this list.
    pub(super) carried: Vec<PathBuf>,
    /// Files and folders of the user's host that are wanted back.
    pub(super) wanted: Vec<Wanted>,
    /// The archive has a project, as one file.
    pub(super) project: Option<Project>,
}

/// Something to bring back.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Wanted {
    /// Its path on the user's host.
    pub(super) path: PathBuf,
    /// There is a folder already.
    pub(super) is_folder: bool,
}

/// A project whose files have been read on the user's host.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Project {
    pub(super) name: String,
    /// The folder that it is in, on the user's host.
    pub(super) directory: PathBuf,
    /// Profiles that the command line activates.
    pub(super) profiles: Vec<String>,
}

/// Frames as they arrive.
pub(super) struct Frames<R> {
    from: R,
    reader: FrameReader,
}

impl<R: Read> Frames<R> {
    pub(super) fn new(from: R) -> Self {
        Self { from, reader: FrameReader::default() }
    }

    /// Passes over what comes before the greeting.
    ///
    /// # Errors
    /// The other side ends, or goes on and on, without a greeting; with what it said instead.
    pub(super) fn expect_greeting(&mut self) -> io::Result<()> {
        let mut said = Vec::new();
        let mut byte = [0];
        while !said.ends_with(GREETING) {
            if said.len() >= MAX_BANNER || self.from.read(&mut byte)? == 0 {
                let text = String::from_utf8_lossy(&said).trim().chars().take(200).collect::<String>();
                return Err(io::Error::other(format!("it does not answer as lighter does: `{text}`")));
            }
            said.push(byte[0]);
        }
        Ok(())
    }

    /// Waits for a frame; `None` = the connection has ended.
    pub(super) fn next(&mut self) -> io::Result<Option<Frame>> {
        let mut piece = [0; PIECE];
        loop {
            if let Some(frame) = self.reader.next_frame()? {
                return Ok(Some(frame));
            }
            match self.from.read(&mut piece) {
                Ok(0) => return Ok(None),
                Ok(count) => self.reader.push(&piece[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns the section that begins here.
    pub(super) fn section(&mut self) -> Section<'_, R> {
        Section { frames: self, piece: Vec::new(), at: 0, ended: false }
    }

    /// Returns the header, which is the section that begins here.
    pub(super) fn header(&mut self) -> io::Result<Header> {
        let mut section = self.section();
        let header = serde_json::from_reader((&mut section).take(MAX_HEADER))?;
        io::copy(&mut section, &mut io::sink())?;
        Ok(header)
    }
}

/// The bytes of a section.
pub(super) struct Section<'a, R> {
    frames: &'a mut Frames<R>,
    piece: Vec<u8>,
    at: usize,
    ended: bool,
}

impl<'a, R> Section<'a, R> {
    /// As [`Frames::section`], when its first frame has been taken already.
    pub(super) fn begun(frames: &'a mut Frames<R>, piece: Vec<u8>) -> Self {
        Self { frames, piece, at: 0, ended: false }
    }
}

impl<R: Read> Read for Section<'_, R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() && !self.ended {
            match self.frames.next()? {
                Some(Frame::Input(piece)) => (self.piece, self.at) = (piece, 0),
                Some(Frame::EndOfInput) => self.ended = true,
                Some(_) => return Err(io::Error::new(io::ErrorKind::InvalidData, "another frame within a section")),
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        let count = (&self.piece[self.at..]).read(to)?;
        self.at += count;
        Ok(count)
    }
}

/// Writes a section; [`SectionWriter::end`] ends it.
pub(super) struct SectionWriter<W> {
    to: W,
}

impl<W: Write> SectionWriter<W> {
    pub(super) fn new(to: W) -> Self {
        Self { to }
    }

    pub(super) fn end(mut self) -> io::Result<()> {
        write_frame(&mut self.to, &Frame::EndOfInput)?;
        self.to.flush()
    }
}

impl<W: Write> Write for SectionWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = &bytes[..bytes.len().min(PIECE)];
        write_frame(&mut self.to, &Frame::Input(piece.to_vec()))?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_header_and_what_follows_it_come_through() {
        let header = Header { arguments: vec![b"lighter".to_vec(), vec![0xff, b'\'']], ..Header::default() };
        let mut wire = b"Welcome!\n".to_vec();
        wire.extend(GREETING);
        let mut section = SectionWriter::new(&mut wire);
        serde_json::to_writer(&mut section, &header).unwrap();
        section.end().unwrap();
        write_frame(&mut wire, &Frame::Signal(2)).unwrap();
        let mut frames = Frames::new(wire.as_slice());
        frames.expect_greeting().unwrap();
        assert_eq!(frames.header().unwrap(), header);
        assert_eq!(frames.next().unwrap(), Some(Frame::Signal(2)));
        assert_eq!(frames.next().unwrap(), None);
    }

    #[test]
    fn who_does_not_greet_is_quoted() {
        let said = Frames::new(b"sh: lighter: not found".as_slice()).expect_greeting().unwrap_err();
        assert!(said.to_string().contains("not found"), "{said}");
    }

    proptest! {
        #[test]
        fn sections_are_their_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..100_000)) {
            let mut wire = Vec::new();
            let mut section = SectionWriter::new(&mut wire);
            section.write_all(&bytes).unwrap();
            section.end().unwrap();
            let mut back = Vec::new();
            Frames::new(wire.as_slice()).section().read_to_end(&mut back).unwrap();
            prop_assert_eq!(back, bytes);
        }

        #[test]
        fn foreign_bytes_never_panic(bytes: Vec<u8>) {
            let mut frames = Frames::new(bytes.as_slice());
            let _ = frames.header();
            let _ = io::copy(&mut frames.section(), &mut io::sink());
            let _ = Frames::new(bytes.as_slice()).expect_greeting();
        }
    }
}
