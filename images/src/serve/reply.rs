//! Answers: what goes back to a client, and the specification's form of an error.
//!
//! Runs in the shell command's process; pure.

use std::time::Duration;

use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde_json::json;

use super::body::Body;
use crate::store::StoreError;

/// The digest of what an answer is about; older than the specification, and what clients compare.
pub(super) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// The codes of OCI distribution-spec 1.1, "Error Codes".
pub(super) mod code {
    pub(in super::super) const BLOB_UNKNOWN: &str = "BLOB_UNKNOWN";
    pub(in super::super) const BLOB_UPLOAD_INVALID: &str = "BLOB_UPLOAD_INVALID";
    pub(in super::super) const BLOB_UPLOAD_UNKNOWN: &str = "BLOB_UPLOAD_UNKNOWN";
    pub(in super::super) const DIGEST_INVALID: &str = "DIGEST_INVALID";
    pub(in super::super) const MANIFEST_BLOB_UNKNOWN: &str = "MANIFEST_BLOB_UNKNOWN";
    pub(in super::super) const MANIFEST_INVALID: &str = "MANIFEST_INVALID";
    pub(in super::super) const MANIFEST_UNKNOWN: &str = "MANIFEST_UNKNOWN";
    pub(in super::super) const NAME_INVALID: &str = "NAME_INVALID";
    pub(in super::super) const NAME_UNKNOWN: &str = "NAME_UNKNOWN";
    pub(in super::super) const SIZE_INVALID: &str = "SIZE_INVALID";
    pub(in super::super) const UNAUTHORIZED: &str = "UNAUTHORIZED";
    pub(in super::super) const DENIED: &str = "DENIED";
    pub(in super::super) const UNSUPPORTED: &str = "UNSUPPORTED";
    pub(in super::super) const TOOMANYREQUESTS: &str = "TOOMANYREQUESTS";
    /// Not of the specification: a failure of this host.
    pub(in super::super) const UNKNOWN: &str = "UNKNOWN";
}

/// What a handler comes to.
pub(super) type Answer = Result<Response<Body>, Refusal>;

/// An answer that is an error.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    message: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Refusal {
        Refusal { status, code, message: message.into(), headers: Vec::new() }
    }

    pub(super) fn bad(code: &'static str, message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(super) fn not_found(code: &'static str, message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, code, message)
    }

    /// The method is not for this path, or not while the registry is read-only (distribution-spec, "Deleting").
    pub(super) fn not_allowed(message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::METHOD_NOT_ALLOWED, code::UNSUPPORTED, message)
    }

    pub(super) fn busy(message: impl Into<String>, after: Duration) -> Refusal {
        let seconds = HeaderValue::from(after.as_secs());
        Refusal::new(StatusCode::TOO_MANY_REQUESTS, code::TOOMANYREQUESTS, message).with(RETRY_AFTER, seconds)
    }

    /// Adds a header.
    pub(super) fn with(mut self, name: HeaderName, value: HeaderValue) -> Refusal {
        self.headers.push((name, value));
        self
    }

    /// Returns the answer; one to HEAD has no body.
    pub(super) fn into_response(self) -> Response<Body> {
        let text = json!({"errors": [{"code": self.code, "message": self.message}]}).to_string();
        let mut response = json_response(self.status, text);
        response
            .headers_mut()
            .extend(self.headers.into_iter().map(|(name, value)| (Some(name), value)).collect::<Vec<_>>());
        response
    }
}

/// Paths of this host are none of a client's business, but why its push failed is.
impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Refusal {
        let full = |error: &std::io::Error| matches!(error.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT));
        match &error {
            StoreError::File { source, .. } if full(source) => {
                Refusal::new(StatusCode::INSUFFICIENT_STORAGE, code::UNKNOWN, "the registry's disk is full")
            }
            StoreError::File { act, source, .. } => {
                let message = format!("the registry could not {act} a file of its store: {source}");
                Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, code::UNKNOWN, message)
            }
            _ => Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, code::UNKNOWN, "the registry's store is damaged"),
        }
    }
}

/// Returns an answer without a body.
pub(super) fn empty(status: StatusCode, headers: impl IntoIterator<Item = (HeaderName, String)>) -> Response<Body> {
    with_headers(Response::new(Body::empty()), status, headers)
}

/// Returns an answer with a body of which `length` bytes are announced.
pub(super) fn content(
    status: StatusCode,
    body: Body,
    headers: impl IntoIterator<Item = (HeaderName, String)>,
) -> Response<Body> {
    with_headers(Response::new(body), status, headers)
}

/// Returns a JSON document.
pub(super) fn json_response(status: StatusCode, text: String) -> Response<Body> {
    let length = text.len().to_string();
    let headers = [(CONTENT_TYPE, "application/json".to_owned()), (CONTENT_LENGTH, length)];
    content(status, Body::full(text.into()), headers)
}

fn with_headers(
    mut response: Response<Body>,
    status: StatusCode,
    headers: impl IntoIterator<Item = (HeaderName, String)>,
) -> Response<Body> {
    *response.status_mut() = status;
    for (name, value) in headers {
        // Names and digests were checked and are ASCII; what is neither is no header of ours.
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
