//! Sends blobs and manifests: what is there already is not sent, what another repository has is taken from there, and an
//! upload that breaks goes on where the registry says it is.
//!
//! Runs in the shell command's process, in the registry thread. OCI distribution-spec, "Push".
//!
//! ```text
//! HEAD blob ─ there ─▶ done
//!    └ POST uploads?mount&from ─ 201 ─▶ done
//!         └ 202, Location ─▶ PUT all ─ 201 ─▶ done          one request: what every registry takes
//!                              ├ broken ─▶ GET Location ─▶ PATCH the rest ─▶ PUT
//!                              └ 413 ─▶ PATCH piece, PATCH piece … ─▶ PUT       a proxy with a limit stands before it
//! ```

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use reqwest::header::{CONTENT_RANGE, CONTENT_TYPE, HeaderName, RANGE};
use reqwest::{Method, Response, StatusCode, Url};

use super::failure::{Failure, RegistryError};
use super::http::Connection;
use super::remote::{Remote, attempt, sleep};
use super::request::{Part, Payload, Request, Target};
use super::retry::Tries;
use crate::digest::Digest;

/// Media type of bytes that mean nothing by themselves.
const BYTES: &str = "application/octet-stream";

/// Size of a piece where a blob is too large for one request, in bytes: half of the smallest limit that proxies of the
/// large content networks have (100 MB).
pub(crate) const PIECE: u64 = 48 << 20;

/// Smallest piece that the registry takes (OCI distribution-spec, "Pushing a blob in chunks").
const SMALLEST_PIECE: HeaderName = HeaderName::from_static("oci-chunk-min-length");

/// A blob to send.
pub(crate) struct Outgoing {
    pub(crate) digest: Digest,
    /// Its file.
    pub(crate) path: PathBuf,
    /// Its size in bytes.
    pub(crate) size: u64,
    /// A repository of the same registry that has it, probably.
    pub(crate) source: Option<String>,
    /// Whether it is worth telling how far it is.
    pub(crate) is_layer: bool,
    /// Bytes of one request where the whole is too large for that.
    pub(crate) piece: u64,
}

/// How a blob came to be at the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// It was there.
    Exists,
    /// It was taken from another repository there.
    Mounted,
    /// It was sent.
    Sent,
}

/// An upload under way.
struct Upload {
    location: Url,
    /// Bytes that the registry has.
    offset: u64,
    /// Bytes of one request.
    piece: u64,
    /// Bytes that each request but the last must have.
    smallest: u64,
}

/// What beginning an upload led to.
enum Begun {
    Mounted,
    Upload(Upload),
}

impl Remote {
    /// Has the registry have a blob, by the cheapest way.
    pub(super) async fn push_blob(&self, blob: &Outgoing) -> Result<Pushed, RegistryError> {
        let connection = self.settled()?;
        let refused = |failure| refused(format!("push blob `{}`", blob.digest), connection, &failure);
        if self.has_blob(connection, &blob.digest).await.map_err(refused)? {
            return Ok(Pushed::Exists);
        }
        let file = File::open(&blob.path)
            .map_err(|error| RegistryError::Setup(format!("open blob `{}`: {error}", blob.path.display())))?;
        self.send(connection, blob, Arc::new(file)).await.map_err(refused)
    }

    /// Puts a manifest under a tag.
    pub(super) async fn push_manifest(&self, tag: &str, media_type: &str, bytes: Bytes) -> Result<(), RegistryError> {
        let connection = self.settled()?;
        let target = Target::Path(self.path(&format!("manifests/{tag}")));
        let request = Request::new(Method::PUT, target).with(CONTENT_TYPE, media_type).carrying(Payload::Bytes(bytes));
        let put = async |connection: &Connection| connection.exchange(&request).await.map(drop);
        let result = self.persist(connection, put).await;
        result.map_err(|failure| refused(format!("push manifest `{tag}`"), connection, &failure))
    }

    fn settled(&self) -> Result<&Connection, RegistryError> {
        let first = self.order().first().map(|(_, connection)| *connection);
        first.ok_or_else(|| RegistryError::Setup("there is no place to write to".to_owned()))
    }

    async fn has_blob(&self, connection: &Connection, digest: &Digest) -> Result<bool, Failure> {
        let request = Request::head(self.path(&format!("blobs/{digest}")));
        let ask = async |connection: &Connection| connection.exchange(&request).await.map(drop);
        match self.persist(connection, ask).await {
            Ok(()) => Ok(true),
            Err(Failure::NotFound(_)) => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// Sends a blob, over as many requests as it takes while there is progress.
    async fn send(&self, connection: &Connection, blob: &Outgoing, file: Arc<File>) -> Result<Pushed, Failure> {
        let begin = async |connection: &Connection| self.begin(connection, blob).await;
        let mut upload = match self.persist(connection, begin).await? {
            Begun::Mounted => return Ok(Pushed::Mounted),
            Begun::Upload(upload) => upload,
        };
        let (digest, size) = (blob.digest.clone(), blob.size);
        let notices = blob.is_layer.then(|| self.notices.clone());
        let whole = Part { file, blob: digest, size, start: 0, end: size, notices };
        let mut tries = Tries::default();
        loop {
            let before = upload.offset;
            let failure = match upload.go_on(connection, &whole).await {
                Ok(()) => return Ok(Pushed::Sent),
                // A proxy before the registry does not take that much at once; the registry has seen none of it.
                Err(Failure::Status { status: 413, .. }) if upload.piece > blob.piece.max(upload.smallest) => {
                    upload.piece = blob.piece.max(upload.smallest);
                    continue;
                }
                // What is sent does not begin where the registry's part ends: it lost some, or had more than it said.
                Err(Failure::NotFound(_) | Failure::Status { status: 416, .. }) => {
                    Failure::Broken("has lost track of the upload".to_owned())
                }
                Err(failure) => failure,
            };
            let Some(pause) = tries.pause_after(&failure) else { return Err(failure) };
            self.tell(connection, &failure, Some(pause));
            sleep(pause).await;
            match self.take_up(connection, blob, upload).await? {
                Begun::Mounted => return Ok(Pushed::Mounted),
                Begun::Upload(next) => upload = next,
            }
            if upload.offset > before {
                tries.reset();
            }
        }
    }

    /// Takes an upload up where the registry is, or anew if the registry has none of it, has forgotten it, or does not say.
    async fn take_up(&self, connection: &Connection, blob: &Outgoing, upload: Upload) -> Result<Begun, Failure> {
        let find_out = async |connection: &Connection| upload.find_out(connection).await;
        if let Ok((location, offset)) = self.persist(connection, find_out).await
            && offset > 0
        {
            return Ok(Begun::Upload(Upload { location, offset, ..upload }));
        }
        let begin = async |connection: &Connection| self.begin(connection, blob).await;
        Ok(match self.persist(connection, begin).await? {
            Begun::Mounted => Begun::Mounted,
            Begun::Upload(new) => Begun::Upload(Upload { piece: upload.piece, ..new }),
        })
    }

    async fn begin(&self, connection: &Connection, blob: &Outgoing) -> Result<Begun, Failure> {
        let path = self.path("blobs/uploads/");
        let post = async |path| connection.exchange(&Request::new(Method::POST, Target::Path(path))).await;
        let response = match &blob.source {
            None => post(path).await?,
            // Both are made of characters that mean themselves in a query.
            Some(source) => match post(format!("{path}?mount={}&from={source}", blob.digest)).await {
                // We may not read there, or the registry knows no mounting: then the blob is sent.
                Err(Failure::Denied(_) | Failure::NotFound(_) | Failure::Status { status: 400..500, .. }) => {
                    post(path).await?
                }
                answer => answer?,
            },
        };
        if response.status() == StatusCode::CREATED {
            return Ok(Begun::Mounted);
        }
        let location = connection.location(&response)?;
        let smallest = smallest(&response);
        Ok(Begun::Upload(Upload { location, offset: 0, piece: blob.size.max(1), smallest }))
    }
}

impl Upload {
    /// Sends what is missing.
    async fn go_on(&mut self, connection: &Connection, whole: &Part) -> Result<(), Failure> {
        if self.offset == 0 && whole.size <= self.piece {
            return self.finish(connection, whole, Payload::Part(whole.clone())).await;
        }
        while self.offset < whole.size {
            let end = whole.size.min(self.offset + self.piece);
            let part = Part { start: self.offset, end, ..whole.clone() };
            let range = format!("{}-{}", self.offset, end - 1);
            let request = Request::new(Method::PATCH, Target::Url(self.location.clone()))
                .with(CONTENT_TYPE, BYTES)
                .with(CONTENT_RANGE, &range)
                .carrying(Payload::Part(part));
            let response = connection.exchange(&request).await?;
            self.location = connection.location(&response)?;
            self.offset = has(&response).unwrap_or(end);
        }
        self.finish(connection, whole, Payload::Bytes(Bytes::new())).await
    }

    async fn finish(&self, connection: &Connection, whole: &Part, payload: Payload) -> Result<(), Failure> {
        let mut url = self.location.clone();
        url.query_pairs_mut().append_pair("digest", whole.blob.as_str());
        let request = Request::new(Method::PUT, Target::Url(url)).with(CONTENT_TYPE, BYTES).carrying(payload);
        connection.exchange(&request).await.map(drop)
    }

    /// Asks where the upload goes on, and how many bytes of it the registry has.
    async fn find_out(&self, connection: &Connection) -> Result<(Url, u64), Failure> {
        let request = Request::new(Method::GET, Target::Url(self.location.clone()));
        let response = connection.exchange(&request).await?;
        let offset = has(&response).ok_or_else(|| Failure::Protocol("does not say what it has".to_owned()))?;
        Ok((connection.location(&response)?, offset))
    }
}

/// Reads how many bytes a registry has: `Range: 0-LAST`, both included. Registries say `0-0` of an upload that has none,
/// so that counts as none: one that has a single byte is begun anew.
fn has(response: &Response) -> Option<u64> {
    range_end(response.headers().get(RANGE)?.to_str().ok()?)
}

fn range_end(range: &str) -> Option<u64> {
    let (start, last) = range.strip_prefix("bytes=").unwrap_or(range).split_once('-')?;
    match (start.trim().parse::<u64>().ok()?, last.trim().parse::<u64>().ok()?) {
        (0, 0) => Some(0),
        (0, last) => last.checked_add(1),
        _ => None,
    }
}

fn smallest(response: &Response) -> u64 {
    response.headers().get(SMALLEST_PIECE).and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0)
}

fn refused(act: String, connection: &Connection, failure: &Failure) -> RegistryError {
    RegistryError::Refused { act, attempt: attempt(&connection.endpoint, failure) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_registry_has_is_read_from_its_range() {
        assert_eq!(range_end("0-99"), Some(100));
        assert_eq!(range_end("bytes=0-0"), Some(0));
        assert_eq!([range_end("5-9"), range_end("0-"), range_end("x"), range_end("")], [None; 4]);
        assert_eq!(range_end(&format!("0-{}", u64::MAX)), None);
    }

    proptest::proptest! {
        #[test]
        fn any_range_is_read_or_refused(text in "\\PC{0,40}") {
            let _ = range_end(&text);
        }
    }
}
