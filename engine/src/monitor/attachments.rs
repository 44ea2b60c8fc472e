//! Attached clients: each gets the output from now on, and may send input.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use nix::poll::{PollFd, PollFlags, PollTimeout};

use crate::Stream;
use crate::attach::{Frame, FrameReader, MAX_PAYLOAD, short_path};

/// Bytes that may wait for one client before the container's output is left unread: nothing is lost, the container waits.
const LIMIT: usize = 256 << 10;
/// More clients than this are turned away.
const MAX_CLIENTS: usize = 64;

/// The socket and its clients.
pub(super) struct Attachments {
    listener: Option<UnixListener>,
    clients: Vec<Client>,
}

struct Client {
    stream: UnixStream,
    reader: FrameReader,
    pending: VecDeque<u8>,
    open: bool,
}

impl Attachments {
    /// Listens at `path`; `first` is attached from the start.
    pub(super) fn new(path: &Path, first: Option<UnixStream>) -> io::Result<Self> {
        crate::durable::remove_file(path).map_err(io::Error::other)?;
        let (_directory, short) = short_path(path)?;
        let listener = UnixListener::bind(short)?;
        listener.set_nonblocking(true)?;
        let mut attachments = Self { listener: Some(listener), clients: Vec::new() };
        if let Some(stream) = first {
            attachments.add(stream)?;
        }
        Ok(attachments)
    }

    fn add(&mut self, stream: UnixStream) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        if self.clients.len() < MAX_CLIENTS {
            self.clients.push(Client { stream, reader: FrameReader::default(), pending: VecDeque::new(), open: true });
        }
        Ok(())
    }

    /// Returns whether every client keeps up, so that more output may be read.
    pub(super) fn has_room(&self) -> bool {
        self.clients.iter().all(|client| client.pending.len() < LIMIT)
    }

    /// Returns what to poll: the listener, then each client; `input` = input is taken now.
    pub(super) fn fds(&self, input: bool) -> Vec<(BorrowedFd<'_>, PollFlags)> {
        let mut fds = Vec::with_capacity(self.clients.len() + 1);
        fds.extend(self.listener.as_ref().map(|listener| (listener.as_fd(), PollFlags::POLLIN)));
        for client in &self.clients {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::POLLIN, input);
            flags.set(PollFlags::POLLOUT, !client.pending.is_empty());
            fds.push((client.stream.as_fd(), flags));
        }
        fds
    }

    /// Accepts, flushes and reads; returns what clients have sent.
    pub(super) fn handle(&mut self, input: bool) -> Vec<Frame> {
        while let Some(Ok((stream, _))) = self.listener.as_ref().map(UnixListener::accept) {
            let _ = self.add(stream);
        }
        let mut frames = Vec::new();
        for client in &mut self.clients {
            client.flush();
            if input {
                client.read(&mut frames);
            }
        }
        self.clients.retain(|client| client.open);
        frames
    }

    /// Hands output to every client.
    pub(super) fn output(&mut self, stream: Stream, bytes: &[u8]) {
        if self.clients.is_empty() {
            return; // nobody whom a copy would be for
        }
        for piece in bytes.chunks(MAX_PAYLOAD) {
            self.send(&Frame::Output(stream, piece.to_vec()));
        }
    }

    fn send(&mut self, frame: &Frame) {
        if self.clients.is_empty() {
            return;
        }
        let bytes = frame.encode();
        for client in &mut self.clients {
            client.pending.extend(&bytes);
            client.flush();
        }
        self.clients.retain(|client| client.open);
    }

    /// Tells every client how the container ended, and waits until they have read all of its output.
    pub(super) fn finish(mut self, exit_code: i32) {
        self.listener = None;
        self.send(&Frame::Exit(exit_code));
        self.clients.retain(|client| !client.pending.is_empty());
        while !self.clients.is_empty() {
            let mut fds: Vec<_> =
                self.clients.iter().map(|client| PollFd::new(client.stream.as_fd(), PollFlags::POLLOUT)).collect();
            if !matches!(nix::poll::poll(&mut fds, PollTimeout::NONE), Ok(_) | Err(nix::Error::EINTR)) {
                return;
            }
            self.clients.iter_mut().for_each(Client::flush);
            self.clients.retain(|client| client.open && !client.pending.is_empty());
        }
    }
}

impl Client {
    fn flush(&mut self) {
        while !self.pending.is_empty() && self.open {
            let (front, _) = self.pending.as_slices();
            match self.stream.write(front) {
                Ok(count) => _ = self.pending.drain(..count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.open = false,
            }
        }
    }

    fn read(&mut self, frames: &mut Vec<Frame>) {
        let mut piece = [0; 16 << 10];
        match self.stream.read(&mut piece) {
            Ok(0) => self.open = false,
            Ok(count) => self.reader.push(&piece[..count]),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => return,
            Err(_) => self.open = false,
        }
        loop {
            match self.reader.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => return,
                Err(_) => {
                    self.open = false;
                    return;
                }
            }
        }
    }
}
