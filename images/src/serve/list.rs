//! Lists: repositories, tags, and what refers to a document.
//!
//! Runs in the shell command's process, on a thread that may wait for the disk.

use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue, LINK};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use super::body::Body;
use super::names;
use super::pages::{Page, page};
use super::registry::{Place, Registry};
use super::reply::{Answer, Refusal, code, json_response};
use super::route::Query;
use crate::digest::Digest;
use crate::store::Served;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

impl Registry {
    /// Lists the repositories: those that have a document, by the names that lead to them.
    pub(super) fn repositories(&self, query: &Query) -> Answer {
        let names = self.catalog()?.repositories.keys().filter_map(|name| names::served(name)).collect();
        let page = page(names, query, "/v2/_catalog")?;
        Ok(listed(json!({"repositories": page.names}), page))
    }

    /// Lists the tags of a repository.
    pub(super) fn tags(&self, place: &Place, query: &Query) -> Answer {
        let catalog = self.catalog()?;
        let repositories = place.repositories(&catalog);
        if repositories.is_empty() {
            return Err(Refusal::not_found(code::NAME_UNKNOWN, format!("there is no repository `{}`", place.name)));
        }
        let tags = repositories.iter().flat_map(|repository| repository.tags.keys().cloned()).collect();
        let page = page(tags, query, &format!("/v2/{}/tags/list", place.name))?;
        Ok(listed(json!({"name": place.name, "tags": page.names}), page))
    }

    /// Lists what refers to a document; nothing does to one that is not here (distribution-spec, "Listing Referrers").
    pub(super) fn referrers(&self, place: &Place, digest: &Digest, query: &Query) -> Answer {
        let wanted = query.artifact_type.as_ref();
        let catalog = self.catalog()?;
        let documents = place.repositories(&catalog).into_iter().flat_map(|repository| &repository.documents);
        let referring = documents
            .filter(|(_, served)| served.subject.as_ref() == Some(digest))
            .filter(|(_, served)| wanted.is_none_or(|wanted| served.artifact_type.as_ref() == Some(wanted)));
        let manifests: Vec<Value> = referring.map(|(digest, served)| descriptor(digest, served)).collect();
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests});
        let mut response = json_response(StatusCode::OK, index.to_string());
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(INDEX));
        if wanted.is_some() {
            let applied = HeaderName::from_static("oci-filters-applied");
            response.headers_mut().insert(applied, HeaderValue::from_static("artifactType"));
        }
        Ok(response)
    }
}

fn listed(value: Value, page: Page) -> Response<Body> {
    let mut response = json_response(StatusCode::OK, value.to_string());
    if let Some(link) = page.link.and_then(|link| HeaderValue::from_str(&link).ok()) {
        response.headers_mut().insert(LINK, link);
    }
    response
}

fn descriptor(digest: &Digest, served: &Served) -> Value {
    let mut value = json!({"mediaType": served.media_type, "digest": digest, "size": served.size});
    if let Some(artifact_type) = &served.artifact_type {
        value["artifactType"] = json!(artifact_type);
    }
    if let Some(annotations) = &served.annotations {
        value["annotations"] = json!(annotations);
    }
    value
}
