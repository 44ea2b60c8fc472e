//! Image references, read and written as Docker does.
//!
//! Runs in the shell command's process; pure. The grammar is that of the distribution project's `reference` package:
//!
//! ```text
//! reference := [domain "/"] path [":" tag] ["@" digest]
//! domain    := host [":" port]                  host: dotted labels, `localhost`, or an IPv6 address in brackets
//! path      := component *("/" component)       component: [a-z0-9]+ joined by ".", "_", "__" or dashes
//! tag       := [A-Za-z0-9_][A-Za-z0-9_.-]{0,127}
//! ```
//! The first component is a domain only if it has a dot, a colon or an upper-case letter, or is `localhost`; otherwise
//! the domain is `docker.io`, and there a path of one component means `library/…`.

use std::fmt;
use std::str::FromStr;

use crate::digest::{Digest, DigestError};

/// The registry that a reference without a domain means.
const DEFAULT_DOMAIN: &str = "docker.io";

/// An older name of the default registry that references still carry.
const LEGACY_DOMAIN: &str = "index.docker.io";

/// The folder of Docker's own images on the default registry; left out of the familiar form.
const OFFICIAL_FOLDER: &str = "library/";

/// The tag that a reference with neither tag nor digest means.
const DEFAULT_TAG: &str = "latest";

/// Longest name (domain and path) that a registry must accept, in bytes (distribution `reference`, NameTotalLengthMax).
const LONGEST_NAME: usize = 255;

/// Longest tag, in bytes (OCI distribution-spec, "Pulling manifests").
const LONGEST_TAG: usize = 128;

/// Which image of which repository of which registry. Always has a tag or a digest, or both.
///
/// Equality, order and hash follow the canonical form, so `redis` and `docker.io/library/redis:latest` are one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    domain: String,
    path: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Why a text is not a reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// There is no name.
    #[error("image reference `{0}` has no repository name")]
    NoName(String),
    /// Repository names are lower case.
    #[error("image reference `{0}`: repository name must be lowercase")]
    UpperCase(String),
    /// A part of the name breaks the grammar.
    #[error("image reference `{reference}`: `{part}` is not a valid {what}")]
    Invalid {
        /// The whole text.
        reference: String,
        /// The part that is wrong.
        part: String,
        /// What the part should be.
        what: &'static str,
    },
    /// The name is longer than any registry takes.
    #[error("image reference `{0}`: name is longer than {LONGEST_NAME} bytes")]
    TooLong(String),
    /// 64 hexadecimal digits are an image id; read as a name they would mean something else.
    #[error("image reference `{0}` is an image id, not a name")]
    IsId(String),
    /// The digest is not one.
    #[error("image reference `{reference}`")]
    Digest {
        /// The whole text.
        reference: String,
        /// What is wrong with the digest.
        #[source]
        source: DigestError,
    },
}

impl Reference {
    /// Returns the registry's domain, with its port if one is given: `docker.io`, `127.0.0.1:5000`.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Returns the repository's path on the registry: `library/redis`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the tag; `latest` if neither tag nor digest was given.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// Returns the digest, if one was given.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// Returns the reference as people write it: `redis:7`, `127.0.0.1:5055/library/redis:7`.
    pub fn familiar(&self) -> String {
        let mut text = self.familiar_name();
        self.push_suffix(&mut text);
        text
    }

    /// Returns the repository as people write it, without tag or digest: `redis`.
    pub fn familiar_name(&self) -> String {
        if self.domain != DEFAULT_DOMAIN {
            return self.name();
        }
        match self.path.strip_prefix(OFFICIAL_FOLDER) {
            Some(official) if !official.contains('/') => official.to_owned(),
            _ if self.path.split('/').next().is_some_and(looks_like_domain) => self.name(),
            _ => self.path.clone(),
        }
    }

    /// Returns domain and path: `docker.io/library/redis`.
    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.domain, self.path)
    }

    /// Returns the same reference with the digest alone where there is one: what a pull by digest is kept under, since
    /// such a pull says nothing about where the tag points.
    pub(crate) fn without_ignored_tag(&self) -> Reference {
        let tag = if self.digest.is_some() { None } else { self.tag.clone() };
        Reference { tag, ..self.clone() }
    }

    fn push_suffix(&self, text: &mut String) {
        if let Some(tag) = &self.tag {
            text.push(':');
            text.push_str(tag);
        }
        if let Some(digest) = &self.digest {
            text.push('@');
            text.push_str(digest.as_str());
        }
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Reference, ReferenceError> {
        if text.len() == 64 && crate::digest::is_lower_hex(text) {
            return Err(ReferenceError::IsId(text.to_owned()));
        }
        let (rest, digest) = split_digest(text)?;
        let (name, tag) = split_tag(rest);
        let (domain, path) = split_domain(name);
        let tag = tag.map(str::to_owned).or_else(|| digest.is_none().then(|| DEFAULT_TAG.to_owned()));
        let reference = Reference { domain, path, tag, digest };
        check(text, &reference)?;
        Ok(reference)
    }
}

impl fmt::Display for Reference {
    /// Writes the canonical form: `docker.io/library/redis:7`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.name();
        self.push_suffix(&mut text);
        formatter.write_str(&text)
    }
}

fn split_digest(text: &str) -> Result<(&str, Option<Digest>), ReferenceError> {
    let Some((rest, digest)) = text.split_once('@') else { return Ok((text, None)) };
    match digest.parse() {
        Ok(digest) => Ok((rest, Some(digest))),
        Err(source) => Err(ReferenceError::Digest { reference: text.to_owned(), source }),
    }
}

/// Splits at the last colon, unless that colon belongs to a port.
fn split_tag(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') && !tag.contains(']') => (name, Some(tag)),
        _ => (text, None),
    }
}

fn split_domain(name: &str) -> (String, String) {
    let (domain, path) = match name.split_once('/') {
        Some((first, rest)) if looks_like_domain(first) => (first, rest),
        _ => (DEFAULT_DOMAIN, name),
    };
    let domain = if domain == LEGACY_DOMAIN { DEFAULT_DOMAIN } else { domain };
    let is_official = domain == DEFAULT_DOMAIN && !path.contains('/');
    let path = if is_official { format!("{OFFICIAL_FOLDER}{path}") } else { path.to_owned() };
    (domain.to_owned(), path)
}

/// Tells whether the first component of a name is a domain rather than a folder of the default registry.
fn looks_like_domain(first: &str) -> bool {
    first == "localhost" || first.contains(['.', ':']) || first.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn check(text: &str, reference: &Reference) -> Result<(), ReferenceError> {
    let invalid =
        |part: &str, what| Err(ReferenceError::Invalid { reference: text.to_owned(), part: part.to_owned(), what });
    if reference.path.is_empty() || reference.path == OFFICIAL_FOLDER {
        return Err(ReferenceError::NoName(text.to_owned()));
    }
    if !is_domain_name(&reference.domain) {
        return invalid(&reference.domain, "registry name");
    }
    if reference.path.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(ReferenceError::UpperCase(text.to_owned()));
    }
    if let Some(part) = reference.path.split('/').find(|part| !is_path_component(part)) {
        return invalid(part, "repository name");
    }
    if reference.domain.len() + 1 + reference.path.len() > LONGEST_NAME {
        return Err(ReferenceError::TooLong(text.to_owned()));
    }
    match &reference.tag {
        Some(tag) if !is_tag(tag) => invalid(tag, "tag"),
        _ => Ok(()),
    }
}

fn is_domain_name(domain: &str) -> bool {
    let (host, port) = split_port(domain);
    let port_is_valid = port.is_none_or(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
    port_is_valid && (is_bracketed_ipv6(host) || host.split('.').all(is_host_label))
}

/// Splits `host:port`; the colons inside an IPv6 address's brackets are not a port's.
fn split_port(domain: &str) -> (&str, Option<&str>) {
    match domain.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (domain, None),
    }
}

fn is_bracketed_ipv6(host: &str) -> bool {
    let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inner.is_some_and(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok())
}

fn is_host_label(label: &str) -> bool {
    !label.is_empty()
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Checks `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`.
fn is_path_component(component: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = component.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    if !is_word(*first) || !is_word(*last) {
        return false;
    }
    let separators = component.split(|char: char| char.is_ascii_lowercase() || char.is_ascii_digit());
    separators
        .filter(|separator| !separator.is_empty())
        .all(|separator| matches!(separator, "." | "_" | "__") || separator.bytes().all(|byte| byte == b'-'))
}

fn is_tag(tag: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    tag.len() <= LONGEST_TAG
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|byte| is_word(byte) || byte == b'.' || byte == b'-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn reference(text: &str) -> Reference {
        text.parse().unwrap()
    }

    #[test]
    fn short_names_mean_docker_hub() {
        let table = [
            ("redis", "docker.io/library/redis:latest", "redis:latest"),
            ("redis:7", "docker.io/library/redis:7", "redis:7"),
            ("bitnami/redis:7", "docker.io/bitnami/redis:7", "bitnami/redis:7"),
            ("docker.io/redis", "docker.io/library/redis:latest", "redis:latest"),
            ("index.docker.io/library/redis", "docker.io/library/redis:latest", "redis:latest"),
            ("docker.io/library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"),
            ("localhost/redis", "localhost/redis:latest", "localhost/redis:latest"),
            ("127.0.0.1:5055/library/redis:7", "127.0.0.1:5055/library/redis:7", "127.0.0.1:5055/library/redis:7"),
            ("[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a:latest"),
            ("docker.io/a.b/c", "docker.io/a.b/c:latest", "docker.io/a.b/c:latest"),
            ("Registry/a", "Registry/a:latest", "Registry/a:latest"),
            ("ghcr.io/a/b__c/d-e---f.g", "ghcr.io/a/b__c/d-e---f.g:latest", "ghcr.io/a/b__c/d-e---f.g:latest"),
        ];
        for (text, canonical, familiar) in table {
            assert_eq!((reference(text).to_string(), reference(text).familiar()), (canonical.into(), familiar.into()));
        }
    }

    #[test]
    fn a_digest_stands_beside_a_tag_or_instead_of_it() {
        let both = reference(&format!("redis:7@sha256:{ID}"));
        assert_eq!((both.tag(), both.digest().map(Digest::hex)), (Some("7"), Some(ID)));
        let alone = reference(&format!("redis@sha256:{ID}"));
        assert_eq!(alone.tag(), None);
        assert_eq!(both.without_ignored_tag(), alone);
    }

    #[test]
    fn what_docker_refuses_is_refused() {
        let texts = [
            "",
            ":7",
            "/redis",
            "redis/",
            "redis:",
            "Redis",
            "a//b",
            "a..b",
            "a___b",
            "-a",
            "a-",
            "redis:a b",
            "redis:-a",
            "redis@",
            "redis@sha256:12",
            "redis@md5:00",
            "re dis",
            "ex_ample.com/a",
            "a.com:x/b",
            "../x",
            "redis:../x",
            "ré",
            "[::1/a",
            "a@b@c",
            ID,
        ];
        for text in texts {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
        assert!(format!("a/{}", "b".repeat(255)).parse::<Reference>().is_err());
        assert!(format!("redis:{}", "b".repeat(129)).parse::<Reference>().is_err());
        assert_eq!("a/B".parse::<Reference>(), Err(ReferenceError::UpperCase("a/B".into())));
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_reads_back(text in "\\PC{0,80}") {
            if let Ok(reference) = text.parse::<Reference>() {
                prop_assert_eq!(&reference.to_string().parse::<Reference>().unwrap(), &reference);
                prop_assert_eq!(&reference.familiar().parse::<Reference>().unwrap(), &reference);
            }
        }

        #[test]
        fn well_formed_names_read_back(text in "([a-z]{1,5}\\.[a-z]{2}(:[0-9]{1,4})?/)?[a-z0-9]{1,6}(/[a-z]{1,4}){0,3}(:[a-zA-Z0-9_][a-z.-]{0,5})?") {
            let reference = text.parse::<Reference>().unwrap();
            prop_assert_eq!(&reference.to_string().parse::<Reference>().unwrap(), &reference);
            prop_assert_eq!(&reference.familiar().parse::<Reference>().unwrap(), &reference);
        }
    }
}
