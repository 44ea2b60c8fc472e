//! Streams one blob, resuming where a connection broke.
//!
//! Runs in the shell command's process, in the registry thread. The bytes are not checked here: the reader hashes them
//! from the first to the last, however many connections they came over.

use bytes::Bytes;
use reqwest::header::CONTENT_RANGE;
use reqwest::{Response, StatusCode};
use tokio::sync::mpsc::Sender;

use super::failure::{Failure, RegistryError};
use super::http::{Connection, transport};
use super::remote::{Failures, Remote, sleep};
use super::request::Request;
use super::retry::Tries;
use crate::digest::Digest;

/// Takes the pieces of one blob.
pub(super) type PieceSender = Sender<Result<Bytes, RegistryError>>;

/// The reader of the blob is gone: nobody wants the rest.
struct Unwanted;

/// Part of a blob.
pub(super) struct Wanted {
    pub(super) digest: Digest,
    /// First byte wanted.
    pub(super) offset: u64,
    /// Bytes of the whole blob.
    pub(super) size: u64,
}

/// Sends the bytes of a blob from an offset up to its end, from whichever place has it.
pub(super) async fn stream(remote: &Remote, wanted: &Wanted, pieces: &PieceSender) {
    let Wanted { digest, offset, size } = wanted;
    let mut transfer = Transfer { remote, digest, offset: *offset, size: *size, pieces };
    let mut failures = Failures::default();
    for (index, connection) in remote.order_for(digest) {
        if failures.is_hopeless(&connection.endpoint) {
            continue;
        }
        match transfer.from(connection).await {
            Ok(Ok(())) => return remote.served(digest, index),
            Ok(Err(Unwanted)) => return,
            Err(failure) => {
                remote.tell(connection, &failure, None);
                failures.push(&connection.endpoint, failure);
            }
        }
    }
    let error = RegistryError::Unserved { wanted: digest.to_string(), attempts: failures.attempts() };
    // A reader that has gone needs no error.
    let _ = pieces.send(Err(error)).await;
}

struct Transfer<'a> {
    remote: &'a Remote,
    digest: &'a Digest,
    /// Bytes sent on so far.
    offset: u64,
    size: u64,
    pieces: &'a PieceSender,
}

impl Transfer<'_> {
    /// Gets the rest from one place, over as many connections as it takes while there is progress.
    async fn from(&mut self, connection: &Connection) -> Result<Result<(), Unwanted>, Failure> {
        let path = self.remote.path(&format!("blobs/{}", self.digest));
        let (mut tries, begun) = (Tries::default(), self.offset);
        while self.offset < self.size {
            let before = self.offset;
            let request = Request::get(path.clone()).beginning_at(self.offset);
            let failure = match self.once(connection, &request).await {
                Ok(Ok(())) => return Ok(Ok(())),
                Ok(Err(unwanted)) => return Ok(Err(unwanted)),
                // It was there a moment ago: a registry that is started anew comes back.
                Err(Failure::Unreachable(cause)) if self.offset > begun => Failure::Broken(cause),
                Err(failure) => failure,
            };
            if self.offset > before {
                tries.reset();
            }
            let Some(pause) = tries.pause_after(&failure) else { return Err(failure) };
            self.remote.tell(connection, &failure, Some(pause));
            sleep(pause).await;
        }
        Ok(Ok(()))
    }

    async fn once(&mut self, connection: &Connection, request: &Request) -> Result<Result<(), Unwanted>, Failure> {
        let mut response = connection.exchange(request).await?;
        let mut skip = self.to_skip(&response)?;
        while let Some(mut chunk) = response.chunk().await.map_err(transport)? {
            let skipped = skip.min(chunk.len() as u64);
            skip -= skipped;
            let chunk = chunk.split_off(skipped as usize);
            if !chunk.is_empty() && self.send(chunk).await.is_err() {
                return Ok(Err(Unwanted));
            }
        }
        if self.offset < self.size {
            return Err(Failure::Broken(format!("ended after {} of {} bytes", self.offset, self.size)));
        }
        Ok(Ok(()))
    }

    /// Returns how many bytes of the answer are known already: none if it starts where we asked, else what a registry
    /// that ignores ranges sends again.
    fn to_skip(&self, response: &Response) -> Result<u64, Failure> {
        if response.status() != StatusCode::PARTIAL_CONTENT {
            return Ok(self.offset);
        }
        let range = response.headers().get(CONTENT_RANGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        match range_start(range) {
            Some(start) if start == self.offset => Ok(0),
            _ => Err(Failure::Protocol(format!(
                "sends the range `{}` for bytes from {}",
                range.escape_default(),
                self.offset
            ))),
        }
    }

    async fn send(&mut self, chunk: Bytes) -> Result<(), Unwanted> {
        self.offset += chunk.len() as u64;
        self.pieces.send(Ok(chunk)).await.map_err(|_| Unwanted)
    }
}

/// Reads the first byte's number out of `bytes START-END/SIZE` (RFC 9110, section 14.4).
fn range_start(range: &str) -> Option<u64> {
    range.strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn any_range_is_read_or_refused(text in "\\PC{0,40}", start in 0u64..) {
            let _ = range_start(&text);
            proptest::prop_assert_eq!(range_start(&format!("bytes {start}-{start}/*")), Some(start));
        }
    }

    #[test]
    fn the_start_of_a_range_is_read_and_anything_else_is_not() {
        assert_eq!(range_start("bytes 100-199/200"), Some(100));
        assert_eq!(range_start("bytes */200"), None);
        assert_eq!(range_start(""), None);
    }
}
