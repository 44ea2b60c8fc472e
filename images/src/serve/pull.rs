//! Manifests and blobs on their way out.
//!
//! Runs in the shell command's process, on a thread that may wait for the disk.

use std::fs::File;
use std::io::{Seek, SeekFrom};

use hyper::StatusCode;
use hyper::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, IF_NONE_MATCH, IF_RANGE,
    RANGE,
};

use super::body::Body;
use super::range;
use super::registry::{Place, Registry};
use super::reply::{Answer, CONTENT_DIGEST, Refusal, code, content, empty};
use super::route::Wanted;
use crate::digest::Digest;
use crate::manifest::LARGEST_MANIFEST;
use crate::store::{Served, StoreError};

impl Registry {
    /// Serves a manifest or index.
    pub(super) fn manifest(&self, place: &Place, wanted: &Wanted, headers: &HeaderMap) -> Answer {
        let (digest, served) = self.find(place, wanted)?;
        if is_known(headers, &digest) {
            return Ok(unchanged(&digest));
        }
        let bytes = self.store.blobs().read(&digest, LARGEST_MANIFEST).ok_or_else(|| unknown(wanted))?;
        let headers = [(CONTENT_TYPE, served.media_type), (CONTENT_LENGTH, bytes.len().to_string())];
        Ok(content(StatusCode::OK, Body::full(bytes.into()), headers.into_iter().chain(identity(&digest))))
    }

    /// Finds a document of a repository.
    fn find(&self, place: &Place, wanted: &Wanted) -> Result<(Digest, Served), Refusal> {
        let catalog = self.catalog()?;
        let repositories = place.repositories(&catalog);
        if repositories.is_empty() {
            return Err(Refusal::not_found(code::NAME_UNKNOWN, format!("there is no repository `{}`", place.name)));
        }
        let found = repositories.iter().find_map(|repository| {
            let digest = match wanted {
                Wanted::Tag(tag) => repository.tags.get(tag)?,
                Wanted::Digest(digest) => digest,
            };
            repository.documents.get(digest).map(|served| (digest.clone(), served.clone()))
        });
        found.ok_or_else(|| unknown(wanted))
    }

    /// Serves a blob, or the part of it that is asked for.
    pub(super) fn blob(&self, digest: &Digest, headers: &HeaderMap) -> Answer {
        let size = self.size(&*self.catalog()?, digest).ok_or_else(|| no_blob(digest))?;
        if is_known(headers, digest) {
            return Ok(unchanged(digest));
        }
        let file = File::open(self.store.blobs().path(digest)).map_err(|_| no_blob(digest))?;
        let type_ = (CONTENT_TYPE, "application/octet-stream".to_owned());
        let common = identity(digest).into_iter().chain([type_, (ACCEPT_RANGES, "bytes".to_owned())]);
        match range::wanted(range_header(headers, digest), size) {
            range::Wanted::Whole => {
                let length = (CONTENT_LENGTH, size.to_string());
                Ok(content(StatusCode::OK, Body::file(file, size), common.chain([length])))
            }
            range::Wanted::Part(part) => {
                let length = part.end - part.start;
                let range = format!("bytes {}-{}/{size}", part.start, part.end - 1);
                let body = from(file, part.start, length)?;
                let own = [(CONTENT_LENGTH, length.to_string()), (CONTENT_RANGE, range)];
                Ok(content(StatusCode::PARTIAL_CONTENT, body, common.chain(own)))
            }
            range::Wanted::Unsatisfiable => {
                Ok(empty(StatusCode::RANGE_NOT_SATISFIABLE, [(CONTENT_RANGE, format!("bytes */{size}"))]))
            }
        }
    }

    /// Tells whether a blob is here, and keeps it so for a client that may go on to push a document that needs it.
    pub(super) fn blob_head(&self, digest: &Digest, headers: &HeaderMap) -> Answer {
        if !self.is_read_only
            && let Some(size) = self.size(&*self.catalog()?, digest)
        {
            self.claims.keep(&self.store, &[(digest.clone(), size)])?;
        }
        self.blob(digest, headers)
    }
}

fn from(mut file: File, start: u64, length: u64) -> Result<Body, Refusal> {
    let failed = |source| StoreError::File { act: "read", path: std::path::PathBuf::new(), source };
    file.seek(SeekFrom::Start(start)).map_err(failed)?;
    Ok(Body::file(file, length))
}

fn unknown(wanted: &Wanted) -> Refusal {
    let shown = match wanted {
        Wanted::Tag(tag) => tag.as_str(),
        Wanted::Digest(digest) => digest.as_str(),
    };
    Refusal::not_found(code::MANIFEST_UNKNOWN, format!("there is no manifest `{shown}`"))
}

pub(super) fn no_blob(digest: &Digest) -> Refusal {
    Refusal::not_found(code::BLOB_UNKNOWN, format!("there is no blob `{digest}`"))
}

/// Content that is named by its digest never changes, so that is its entity tag.
fn identity(digest: &Digest) -> [(HeaderName, String); 2] {
    [(CONTENT_DIGEST, digest.to_string()), (ETAG, format!("\"{digest}\""))]
}

fn unchanged(digest: &Digest) -> hyper::Response<Body> {
    empty(StatusCode::NOT_MODIFIED, identity(digest))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// `If-None-Match`, RFC 9110, 13.1.2.
fn is_known(headers: &HeaderMap, digest: &Digest) -> bool {
    let tags = text(headers, &IF_NONE_MATCH).unwrap_or_default();
    tags.split(',').any(|tag| {
        let tag = tag.trim();
        tag == "*" || tag.trim_start_matches("W/").trim_matches('"') == digest.as_str()
    })
}

/// A range counts unless the client has the beginning of something else: `If-Range`, RFC 9110, 13.1.5.
fn range_header<'a>(headers: &'a HeaderMap, digest: &Digest) -> Option<&'a str> {
    let is_of_this = text(headers, &IF_RANGE).is_none_or(|tag| tag.trim_matches('"') == digest.as_str());
    text(headers, &RANGE).filter(|_| is_of_this)
}
