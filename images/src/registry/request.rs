//! What is sent to a place; made once, and sent again as it is when that makes sense.
//!
//! Runs in the shell command's process, in the registry thread.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use reqwest::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue, RANGE};
use reqwest::{Body, Method, Url};

use super::notice::{Notice, Notices};
use crate::digest::Digest;

/// Size of the pieces in which a file is sent, in bytes.
const PIECE: u64 = 256 * 1024;

/// A request.
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) target: Target,
    pub(super) headers: HeaderMap,
    pub(super) payload: Payload,
}

/// Whom it is for.
pub(super) enum Target {
    /// What follows `/v2/`.
    Path(String),
    /// Where the registry said.
    Url(Url),
}

/// What goes with it.
pub(super) enum Payload {
    /// These bytes.
    Bytes(Bytes),
    /// Part of a file.
    Part(Part),
}

/// Part of a blob's file, up to a certain byte.
#[derive(Clone)]
pub(super) struct Part {
    pub(super) file: Arc<File>,
    pub(super) blob: Digest,
    /// Bytes of the whole blob.
    pub(super) size: u64,
    /// First byte to send.
    pub(super) start: u64,
    /// First byte not to send any more.
    pub(super) end: u64,
    /// Who is told how far it is, if anybody.
    pub(super) notices: Option<Notices>,
}

impl Request {
    pub(super) fn new(method: Method, target: Target) -> Request {
        Request { method, target, headers: HeaderMap::new(), payload: Payload::Bytes(Bytes::new()) }
    }

    pub(super) fn get(path: String) -> Request {
        Request::new(Method::GET, Target::Path(path))
    }

    pub(super) fn head(path: String) -> Request {
        Request::new(Method::HEAD, Target::Path(path))
    }

    /// Names the media types that will do.
    pub(super) fn accepting(self, media_types: &[&str]) -> Request {
        self.with(ACCEPT, &media_types.join(", "))
    }

    /// Asks for what follows so many bytes.
    pub(super) fn beginning_at(self, offset: u64) -> Request {
        if offset == 0 { self } else { self.with(RANGE, &format!("bytes={offset}-")) }
    }

    /// Adds a header. A text that no header can have is left out; ours are digits, digests and media types.
    pub(super) fn with(mut self, name: HeaderName, text: &str) -> Request {
        if let Ok(value) = HeaderValue::from_str(text) {
            self.headers.insert(name, value);
        }
        self
    }

    pub(super) fn carrying(self, payload: Payload) -> Request {
        Request { payload, ..self }
    }

    /// Tells whether it changes nothing.
    pub(super) fn is_reading(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD)
    }
}

impl Part {
    /// Returns a body that sends it, and how many bytes of it have gone out.
    pub(super) fn body(&self) -> (Body, Arc<AtomicU64>) {
        let moved = Arc::new(AtomicU64::new(0));
        let sending = Sending { part: self.clone(), at: self.start, moved: Arc::clone(&moved) };
        (Body::wrap(sending), moved)
    }
}

/// A part on its way. Reading blocks, for as long as the disk takes for one piece: it is a file of the store.
struct Sending {
    part: Part,
    at: u64,
    moved: Arc<AtomicU64>,
}

impl HttpBody for Sending {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.at == self.part.end {
            return Poll::Ready(None);
        }
        let length = PIECE.min(self.part.end - self.at);
        let mut piece = vec![0; length as usize];
        if let Err(error) = self.part.file.read_exact_at(&mut piece, self.at) {
            return Poll::Ready(Some(Err(error)));
        }
        self.at += length;
        self.moved.fetch_add(length, Ordering::Relaxed);
        let Part { blob, size: total, notices, .. } = &self.part;
        if let Some(notices) = notices {
            notices.tell(Notice::Sent { blob: blob.clone(), done: self.at, total: *total });
        }
        Poll::Ready(Some(Ok(Frame::data(piece.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.at == self.part.end
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.part.end - self.at)
    }
}
