//! Blobs on their way in: whole, in chunks, or mounted from another repository.
//!
//! Runs in the shell command's process. OCI distribution-spec 1.1, "Pushing Blobs". What has come of a body that broke off is
//! kept, and the client may ask how much that is and go on.

use std::ops::Range;

use bytes::Bytes;
use hyper::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, HeaderName, HeaderValue, LOCATION, RANGE};
use hyper::{Response, StatusCode};

use super::body::{Body, Intake, blocking};
use super::registry::{Place, Registry};
use super::reply::{Answer, CONTENT_DIGEST, Refusal, code, empty};
use super::route::{Query, content};
use super::uploads::Held;
use super::{connection::Shared, range};
use crate::digest::Digest;

/// Largest blob that is taken, in bytes; beyond the largest layers that anybody ships, short of most disks.
const LARGEST_BLOB: u64 = 64 << 30;

/// A chunk below 64 KiB costs more in requests than in bytes; smaller ones are taken all the same.
const SMALLEST_CHUNK: (HeaderName, &str) = (HeaderName::from_static("oci-chunk-min-length"), "65536");

/// An upload that a request is at.
struct Current {
    place: Place,
    id: String,
    held: Held,
}

/// `POST`: begins an upload, or has a blob at once: with its content, or from another repository.
pub(super) async fn begin(shared: &Shared, place: Place, query: Query, intake: Intake) -> Answer {
    let registry = shared.registry();
    registry.writable()?;
    if let Some(text) = &query.mount {
        let digest = content(text)?;
        let (registry, place, from) = (shared.registry(), place.clone(), query.from.clone());
        if let Some(response) = blocking(move || registry.mount(&place, &digest, from.as_deref())).await? {
            return Ok(response);
        }
    }
    let digest = query.digest.as_deref().filter(|_| query.mount.is_none()).map(content).transpose()?;
    let current = blocking(move || registry.begin(place)).await?;
    let Some(digest) = digest else { return Ok(progress(&current, StatusCode::ACCEPTED)) };
    let id = current.id.clone();
    // Nobody knows its id, so nobody can go on with it.
    complete(shared, current, None, (intake, digest)).await.inspect_err(|_| shared.registry().uploads.end(&id))
}

/// `PATCH`: adds a chunk, or as much as comes.
pub(super) async fn append(
    shared: &Shared,
    (place, id): (Place, String),
    headers: &HeaderMap,
    intake: Intake,
) -> Answer {
    let current = hold(shared, place, id)?;
    let range = chunk(&current, headers)?;
    let current = receive(shared, current, range, intake).await?;
    Ok(progress(&current, StatusCode::ACCEPTED))
}

/// `PUT`: adds the last chunk, if there is one left, and turns the upload into the blob.
pub(super) async fn finish(
    shared: &Shared,
    (place, id, query): (Place, String, Query),
    headers: &HeaderMap,
    intake: Intake,
) -> Answer {
    let current = hold(shared, place, id)?;
    let text = query.digest.ok_or_else(|| Refusal::bad(code::DIGEST_INVALID, "the query has no `digest`"))?;
    let digest = content(&text)?;
    let range = chunk(&current, headers)?;
    complete(shared, current, range, (intake, digest)).await
}

/// `GET`: how much has come.
pub(super) fn status(shared: &Shared, place: Place, id: String) -> Answer {
    Ok(progress(&hold(shared, place, id)?, StatusCode::NO_CONTENT))
}

/// `DELETE`: gives the upload up.
pub(super) fn cancel(shared: &Shared, place: Place, id: String) -> Answer {
    let current = hold(shared, place, id)?;
    shared.registry().uploads.end(&current.id);
    Ok(empty(StatusCode::NO_CONTENT, []))
}

fn hold(shared: &Shared, place: Place, id: String) -> Result<Current, Refusal> {
    let registry = shared.registry();
    registry.writable()?;
    let held = registry.uploads.hold(&place.name, &id)?;
    Ok(Current { place, id, held })
}

/// Reads which bytes a request says it brings; they must follow those that are here.
fn chunk(current: &Current, headers: &HeaderMap) -> Result<Option<Range<u64>>, Refusal> {
    let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let Some(text_range) = text(&CONTENT_RANGE) else { return Ok(None) };
    let range = range::chunk(text_range).filter(|range| range.start == current.held.length());
    let Some(range) = range else {
        let message = format!("the next chunk begins at byte {}", current.held.length());
        let refusal = Refusal::new(StatusCode::RANGE_NOT_SATISFIABLE, code::BLOB_UPLOAD_INVALID, message);
        let headers = progress_headers(current).into_iter();
        return Err(headers.fold(refusal, |refusal, (name, value)| match HeaderValue::from_str(&value) {
            Ok(value) => refusal.with(name, value),
            Err(_) => refusal,
        }));
    };
    match text(&CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok()) {
        Some(length) if length != range.end - range.start => {
            Err(Refusal::bad(code::SIZE_INVALID, "`Content-Length` and `Content-Range` disagree"))
        }
        _ => Ok(Some(range)),
    }
}

/// Adds what comes to the upload.
async fn receive(
    shared: &Shared,
    mut current: Current,
    range: Option<Range<u64>>,
    mut intake: Intake,
) -> Result<Current, Refusal> {
    let end = range.as_ref().map_or(LARGEST_BLOB, |range| range.end.min(LARGEST_BLOB));
    while let Some(piece) = intake.next().await? {
        if current.held.length() + piece.len() as u64 > end {
            let message = format!("the chunk goes beyond byte {end}");
            return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, code::SIZE_INVALID, message));
        }
        current = append_piece(shared, current, piece).await?;
    }
    match range {
        Some(range) if current.held.length() != range.end => {
            Err(Refusal::bad(code::SIZE_INVALID, "the chunk is shorter than its `Content-Range`"))
        }
        _ => Ok(current),
    }
}

/// Writes a piece. The hold on the upload goes along, so that two never write, even if the request is given up meanwhile.
async fn append_piece(shared: &Shared, mut current: Current, piece: Bytes) -> Result<Current, Refusal> {
    let (current, result) = blocking(move || {
        let result = current.held.append(&piece);
        (current, result)
    })
    .await;
    match result {
        Ok(()) => Ok(current),
        Err(error) => {
            // What is on the disk may be more than what was hashed.
            shared.registry().uploads.end(&current.id);
            Err(error.into())
        }
    }
}

async fn complete(
    shared: &Shared,
    current: Current,
    range: Option<Range<u64>>,
    (intake, digest): (Intake, Digest),
) -> Answer {
    let current = receive(shared, current, range, intake).await?;
    let registry = shared.registry();
    blocking(move || registry.complete(current, &digest)).await
}

impl Registry {
    fn begin(&self, place: Place) -> Result<Current, Refusal> {
        let (id, held) = self.uploads.begin(&self.store, &place.name)?;
        Ok(Current { place, id, held })
    }

    /// Has a blob that is here already; without one an upload begins instead.
    fn mount(&self, place: &Place, digest: &Digest, from: Option<&str>) -> Result<Option<Response<Body>>, Refusal> {
        // Blobs are the store's, not a repository's, so it does not matter which one has it; that it is named must be right.
        from.map(|name| Place::new(name.to_owned(), None)).transpose()?;
        let Some(size) = self.size(&*self.catalog()?, digest) else { return Ok(None) };
        self.claims.keep(&self.store, &[(digest.clone(), size)])?;
        let is_there = self.store.blobs().has(digest, size);
        Ok(is_there.then(|| created(place, digest)))
    }

    fn complete(&self, mut current: Current, digest: &Digest) -> Answer {
        // Whatever comes of it, it is no upload any more.
        self.uploads.end(&current.id);
        let actual = current.held.digest();
        if actual != *digest {
            let message = format!("the content has digest `{actual}`, not `{digest}`");
            return Err(Refusal::bad(code::DIGEST_INVALID, message));
        }
        self.claims.keep(&self.store, &[(digest.clone(), current.held.length())])?;
        self.store.finish_upload(&mut current.held, digest)?;
        Ok(created(&current.place, digest))
    }
}

fn created(place: &Place, digest: &Digest) -> Response<Body> {
    let location = format!("/v2/{}/blobs/{digest}", place.name);
    empty(StatusCode::CREATED, [(LOCATION, location), (CONTENT_DIGEST, digest.to_string())])
}

fn progress(current: &Current, status: StatusCode) -> Response<Body> {
    empty(status, progress_headers(current))
}

/// Where to go on, and what has come; of nothing the specification's `0-0` says one byte too much.
fn progress_headers(current: &Current) -> [(HeaderName, String); 4] {
    let location = format!("/v2/{}/blobs/uploads/{}", current.place.name, current.id);
    let range = format!("0-{}", current.held.length().saturating_sub(1));
    let id = (HeaderName::from_static("docker-upload-uuid"), current.id.clone());
    [(LOCATION, location), (RANGE, range), id, (SMALLEST_CHUNK.0, SMALLEST_CHUNK.1.to_owned())]
}
