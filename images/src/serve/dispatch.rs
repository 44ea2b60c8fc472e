//! From a request to whoever answers it.
//!
//! Runs in the shell command's process, in the thread of all connections; what may wait for the disk is done on others.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, ORIGIN};
use hyper::{HeaderMap, Method, Request, StatusCode};

use super::body::{Intake, blocking};
use super::connection::Shared;
use super::pulse::Pulse;
use super::registry::Place;
use super::reply::{Answer, Refusal, code, json_response};
use super::route::{Query, Route};
use super::upload;
use crate::manifest::LARGEST_MANIFEST;

/// Answers a request; `user` is whose credentials it had.
pub(super) async fn answer(
    shared: &Shared,
    request: Request<Incoming>,
    pulse: &Pulse,
    user: &mut Option<String>,
) -> Answer {
    // A page in somebody's browser can send requests to loopback; no client of a registry is one (Fetch standard, "Origin").
    if request.headers().contains_key(ORIGIN) {
        return Err(Refusal::new(StatusCode::FORBIDDEN, code::DENIED, "requests of web pages are refused"));
    }
    if let Some(users) = &shared.users {
        *user = Some(Arc::clone(users).user(request.headers().get(AUTHORIZATION)).await?);
    }
    let (head, body) = request.into_parts();
    let route = Route::parse(head.uri.path())?;
    let query = Query::parse(head.uri.query().unwrap_or_default());
    let intake = Intake::new(body, pulse.clone());
    dispatch(shared, Asked { method: head.method, headers: head.headers, query }, route, intake).await
}

/// A request without its path and body.
struct Asked {
    method: Method,
    headers: HeaderMap,
    query: Query,
}

async fn dispatch(shared: &Shared, asked: Asked, route: Route, intake: Intake) -> Answer {
    let Asked { method, headers, query } = asked;
    let registry = shared.registry();
    let place = |name: String| Place::new(name, query.upstream.as_deref());
    let is_read = method == Method::GET || method == Method::HEAD;
    match route {
        Route::Base if is_read => Ok(json_response(StatusCode::OK, "{}".to_owned())),
        Route::Catalog if is_read => blocking(move || registry.repositories(&query)).await,
        Route::Tags { name } if is_read => {
            let place = place(name)?;
            blocking(move || registry.tags(&place, &query)).await
        }
        Route::Referrers { name, digest } if is_read => {
            let place = place(name)?;
            blocking(move || registry.referrers(&place, &digest, &query)).await
        }
        Route::Manifest { name, wanted } if is_read => {
            let place = place(name)?;
            blocking(move || registry.manifest(&place, &wanted, &headers)).await
        }
        Route::Manifest { name, wanted } if method == Method::PUT => {
            registry.writable()?;
            let place = Place::new(name, None)?;
            let limit = format!("a manifest has at most {LARGEST_MANIFEST} bytes");
            let too_large = Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, code::SIZE_INVALID, limit);
            let bytes = intake.whole(LARGEST_MANIFEST, too_large).await?;
            let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
            blocking(move || registry.put_manifest(&place, &wanted, media_type.as_deref(), &bytes)).await
        }
        Route::Manifest { name, wanted } if method == Method::DELETE => {
            let place = Place::new(name, None)?;
            blocking(move || registry.delete_manifest(&place, &wanted)).await
        }
        Route::Blob { digest, .. } if method == Method::HEAD => {
            blocking(move || registry.blob_head(&digest, &headers)).await
        }
        Route::Blob { digest, .. } if is_read => blocking(move || registry.blob(&digest, &headers)).await,
        Route::Blob { digest, .. } if method == Method::DELETE => blocking(move || registry.delete_blob(&digest)).await,
        Route::Uploads { name } if method == Method::POST => {
            upload::begin(shared, Place::new(name, None)?, query, intake).await
        }
        Route::Upload { name, id } => {
            let place = Place::new(name, None)?;
            match method {
                Method::GET | Method::HEAD => upload::status(shared, place, id),
                Method::PATCH => upload::append(shared, (place, id), &headers, intake).await,
                Method::PUT => upload::finish(shared, (place, id, query), &headers, intake).await,
                Method::DELETE => upload::cancel(shared, place, id),
                _ => Err(Refusal::not_allowed("this method is not for this path")),
            }
        }
        _ => Err(Refusal::not_allowed("this method is not for this path")),
    }
}
