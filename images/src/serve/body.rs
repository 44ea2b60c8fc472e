//! Bodies: what goes out, from memory or from a file, and what comes in, piece by piece.
//!
//! Runs in the shell command's process. A file is read one piece ahead of nobody: the next is read when the last has left, so a
//! slow client costs one piece of memory, whatever it downloads.

use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::task::{JoinHandle, spawn_blocking};

use super::pulse::Pulse;
use super::reply::{Refusal, code};

/// Size of the pieces that files are read and written in, in bytes.
pub(super) const PIECE: usize = 256 * 1024;

/// Does `work`, which waits for a disk or a lock, on another thread.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match spawn_blocking(work).await {
        Ok(value) => value,
        // The runtime cancels nothing that has begun, and outlives every request.
        Err(error) => resume_unwind(error.into_panic()),
    }
}

/// The body of an answer.
pub(crate) struct Body {
    content: Content,
    /// Told whenever the client is waited for.
    pulse: Option<Pulse>,
}

enum Content {
    Memory(Bytes),
    File { file: Option<File>, left: u64, reading: Option<JoinHandle<io::Result<(File, Bytes)>>> },
}

impl Body {
    /// No body.
    pub(super) fn empty() -> Body {
        Body::full(Bytes::new())
    }

    /// A body that is in memory.
    pub(super) fn full(bytes: Bytes) -> Body {
        Body { content: Content::Memory(bytes), pulse: None }
    }

    /// `length` bytes of a file, from where it stands.
    pub(super) fn file(file: File, length: u64) -> Body {
        Body { content: Content::File { file: Some(file), left: length, reading: None }, pulse: None }
    }

    /// Has `pulse` told whenever the client is waited for.
    pub(super) fn watched(mut self, pulse: Pulse) -> Body {
        self.pulse = Some(pulse);
        self
    }

    /// Returns the bytes to come.
    pub(super) fn length(&self) -> u64 {
        match &self.content {
            Content::Memory(bytes) => bytes.len() as u64,
            Content::File { left, .. } => *left,
        }
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let body = &mut *self;
        if let Some(pulse) = &body.pulse {
            pulse.works();
        }
        let piece = match &mut body.content {
            Content::Memory(bytes) => Ok(std::mem::take(bytes)),
            Content::File { file, left, reading } => ready!(poll_file(context, file, left, reading)),
        };
        if let Some(pulse) = &body.pulse {
            pulse.waits();
        }
        Poll::Ready(match piece {
            Ok(bytes) if bytes.is_empty() => None,
            piece => Some(piece.map(Frame::data)),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.length() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length())
    }
}

fn poll_file(
    context: &mut Context<'_>,
    file: &mut Option<File>,
    left: &mut u64,
    reading: &mut Option<JoinHandle<io::Result<(File, Bytes)>>>,
) -> Poll<io::Result<Bytes>> {
    if let (Some(file), 1..) = (file.take(), *left) {
        let wanted = (*left).min(PIECE as u64);
        *reading = Some(spawn_blocking(move || read(file, wanted)));
    }
    let Some(handle) = reading else { return Poll::Ready(Ok(Bytes::new())) };
    let read = ready!(Pin::new(handle).poll(context));
    *reading = None;
    Poll::Ready(read.unwrap_or_else(|error| resume_unwind(error.into_panic())).map(|(rest, bytes)| {
        *left -= bytes.len() as u64;
        *file = Some(rest);
        bytes
    }))
}

fn read(file: File, wanted: u64) -> io::Result<(File, Bytes)> {
    let mut piece = Vec::with_capacity(wanted as usize);
    (&file).take(wanted).read_to_end(&mut piece)?;
    if piece.is_empty() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok((file, piece.into())) }
}

/// A body that comes, in pieces of [`PIECE`] bytes but for the last.
pub(super) struct Intake {
    body: Incoming,
    gathered: BytesMut,
    pulse: Pulse,
}

impl Intake {
    /// Takes the body of a request.
    pub(super) fn new(body: Incoming, pulse: Pulse) -> Intake {
        Intake { body, gathered: BytesMut::new(), pulse }
    }

    /// Returns the next piece, `None` at the end.
    ///
    /// The client is waited for only so long for a whole piece, so one that dribbles is as good as gone.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        self.pulse.waits();
        let mut flow = ControlFlow::Continue(());
        while self.gathered.len() < PIECE && flow.is_continue() {
            flow = self.gather().await?;
        }
        self.pulse.works();
        let length = self.gathered.len().min(PIECE);
        Ok((length > 0).then(|| self.gathered.split_to(length).freeze()))
    }

    async fn gather(&mut self) -> Result<ControlFlow<()>, Refusal> {
        match self.body.frame().await {
            None => Ok(ControlFlow::Break(())),
            Some(Ok(frame)) => {
                if let Ok(bytes) = frame.into_data() {
                    self.gathered.extend_from_slice(&bytes);
                }
                Ok(ControlFlow::Continue(()))
            }
            Some(Err(_)) => Err(Refusal::bad(code::BLOB_UPLOAD_INVALID, "the request's body broke off")),
        }
    }

    /// Returns a whole small body.
    pub(super) async fn whole(mut self, limit: u64, too_large: Refusal) -> Result<Bytes, Refusal> {
        let mut whole = BytesMut::new();
        while let Some(piece) = self.next().await? {
            if (whole.len() + piece.len()) as u64 > limit {
                return Err(too_large);
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }
}
