//! What a request is for, by its path and query alone.
//!
//! Runs in the shell command's process; pure. OCI distribution-spec 1.1, "Endpoints". A repository's name may have components
//! like `blobs`, so a path is matched from its end.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::names;
use super::reply::{Refusal, code};
use crate::digest::Digest;

/// An endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// `/v2/`: is there a registry?
    Base,
    /// `/v2/_catalog`.
    Catalog,
    /// `/v2/NAME/tags/list`.
    Tags { name: String },
    /// `/v2/NAME/referrers/DIGEST`.
    Referrers { name: String, digest: Digest },
    /// `/v2/NAME/manifests/REFERENCE`.
    Manifest { name: String, wanted: Wanted },
    /// `/v2/NAME/blobs/DIGEST`.
    Blob { name: String, digest: Digest },
    /// `/v2/NAME/blobs/uploads/`.
    Uploads { name: String },
    /// `/v2/NAME/blobs/uploads/ID`.
    Upload { name: String, id: String },
}

/// Which document of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The one that a tag names, if it is a tag.
    Tag(String),
    /// That one.
    Digest(Digest),
}

/// What may stand behind the path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Query {
    pub(super) digest: Option<String>,
    pub(super) mount: Option<String>,
    pub(super) from: Option<String>,
    pub(super) n: Option<String>,
    pub(super) last: Option<String>,
    pub(super) artifact_type: Option<String>,
    /// The registry that this one is taken for a mirror of, as containerd sends it.
    pub(super) upstream: Option<String>,
}

impl Query {
    /// Reads `key=value&…`; of a repeated key the first counts.
    pub(crate) fn parse(text: &str) -> Query {
        let mut query = Query::default();
        for (key, value) in form_urlencoded::parse(text.as_bytes()) {
            let slot = match &*key {
                "digest" => &mut query.digest,
                "mount" => &mut query.mount,
                "from" => &mut query.from,
                "n" => &mut query.n,
                "last" => &mut query.last,
                "artifactType" => &mut query.artifact_type,
                "ns" => &mut query.upstream,
                _ => continue,
            };
            slot.get_or_insert_with(|| value.into_owned());
        }
        query
    }
}

#[cfg(fuzzing)]
impl Query {
    /// Returns the store's names for a repository, as the query has them.
    pub(crate) fn names(&self, name: &str) -> Option<Vec<String>> {
        names::stored(name, self.upstream.as_deref())
    }
}

impl Route {
    /// Reads a path.
    pub(crate) fn parse(path: &str) -> Result<Route, Refusal> {
        let path: Cow<'_, str> = percent_decode_str(path).decode_utf8().map_err(|_| nothing())?;
        let rest = match path.strip_prefix("/v2") {
            Some("" | "/") => return Ok(Route::Base),
            Some(rest) => rest.strip_prefix('/').ok_or_else(nothing)?,
            None => return Err(nothing()),
        };
        match &rest.split('/').collect::<Vec<_>>()[..] {
            ["_catalog"] => Ok(Route::Catalog),
            [name @ .., "tags", "list"] => Ok(Route::Tags { name: repository(name)? }),
            [name @ .., "referrers", digest] => {
                Ok(Route::Referrers { name: repository(name)?, digest: content(digest)? })
            }
            [name @ .., "blobs", "uploads"] | [name @ .., "blobs", "uploads", ""] => {
                Ok(Route::Uploads { name: repository(name)? })
            }
            [name @ .., "blobs", "uploads", id] => Ok(Route::Upload { name: repository(name)?, id: (*id).to_owned() }),
            [name @ .., "blobs", digest] => Ok(Route::Blob { name: repository(name)?, digest: content(digest)? }),
            [name @ .., "manifests", text] => {
                let wanted = match text.contains(':') {
                    true => Wanted::Digest(content(text)?),
                    false => Wanted::Tag((*text).to_owned()),
                };
                Ok(Route::Manifest { name: repository(name)?, wanted })
            }
            _ => Err(nothing()),
        }
    }
}

fn nothing() -> Refusal {
    Refusal::not_found(code::UNSUPPORTED, "there is nothing at this path")
}

fn repository(components: &[&str]) -> Result<String, Refusal> {
    let name = components.join("/");
    match names::stored(&name, None) {
        Some(_) => Ok(name),
        None => Err(Refusal::bad(code::NAME_INVALID, format!("`{name}` is not a valid repository name"))),
    }
}

/// Reads a digest of the path or the query.
pub(super) fn content(text: &str) -> Result<Digest, Refusal> {
    text.parse().map_err(|error: crate::digest::DigestError| Refusal::bad(code::DIGEST_INVALID, error.to_string()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn digest() -> Digest {
        format!("sha256:{HEX}").parse().unwrap()
    }

    #[test]
    fn paths_are_read_from_their_end() {
        let name = || "blobs/uploads".to_owned();
        for (path, expected) in [
            ("/v2", Route::Base),
            ("/v2/", Route::Base),
            ("/v2/_catalog", Route::Catalog),
            ("/v2/blobs/uploads/tags/list", Route::Tags { name: name() }),
            ("/v2/blobs/uploads/manifests/1", Route::Manifest { name: name(), wanted: Wanted::Tag("1".into()) }),
            ("/v2/blobs/uploads/blobs/uploads/", Route::Uploads { name: name() }),
            ("/v2/blobs/uploads/blobs/uploads", Route::Uploads { name: name() }),
            ("/v2/blobs/uploads/blobs/uploads/x", Route::Upload { name: name(), id: "x".into() }),
        ] {
            assert_eq!(Route::parse(path).unwrap(), expected, "{path}");
        }
        let blob = Route::Blob { name: "a".into(), digest: digest() };
        assert_eq!(Route::parse(&format!("/v2/a/blobs/sha256:{HEX}")).unwrap(), blob);
        assert_eq!(Route::parse(&format!("/v2/a/blobs/sha256%3A{HEX}")).unwrap(), blob);
        let wanted = Wanted::Digest(digest());
        let manifest = Route::parse(&format!("/v2/a/manifests/sha256:{HEX}")).unwrap();
        assert_eq!(manifest, Route::Manifest { name: "a".into(), wanted });
    }

    #[test]
    fn what_is_no_endpoint_is_refused_with_the_specifications_code() {
        for (path, expected) in [
            ("/", code::UNSUPPORTED),
            ("/v1/search", code::UNSUPPORTED),
            ("/v2x", code::UNSUPPORTED),
            ("/v2/a", code::UNSUPPORTED),
            ("/v2/manifests/1", code::NAME_INVALID),
            ("/v2/../etc/manifests/1", code::NAME_INVALID),
            ("/v2/%2e%2e/manifests/1", code::NAME_INVALID),
            ("/v2/A/manifests/1", code::NAME_INVALID),
            ("/v2/a/blobs/x", code::DIGEST_INVALID),
            ("/v2/a/blobs/sha512:00", code::DIGEST_INVALID),
            ("/v2/a/manifests/sha256:00", code::DIGEST_INVALID),
        ] {
            assert_eq!(Route::parse(path).unwrap_err().code, expected, "{path}");
        }
    }

    #[test]
    fn a_query_is_decoded_and_its_first_word_counts() {
        let query = Query::parse("digest=sha256%3A00&digest=x&n=2&ns=ghcr.io&other");
        assert_eq!((query.digest.as_deref(), query.n.as_deref()), (Some("sha256:00"), Some("2")));
        assert_eq!((query.upstream.as_deref(), query.last), (Some("ghcr.io"), None));
    }

    proptest! {
        #[test]
        fn any_path_is_refused_or_read(path in "(/v2)?(/[%a-z0-9_:.]{0,12}|/manifests|/blobs|/uploads|/tags/list){0,6}") {
            if let Ok(Route::Manifest { name, .. } | Route::Tags { name }) = Route::parse(&path) {
                prop_assert!(!name.contains("..") && !name.starts_with('/'));
            }
        }
    }
}
