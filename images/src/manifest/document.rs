//! One document of a registry: is it an index or an image manifest, and does it say so everywhere?
//!
//! Runs in the shell command's process; pure. A document that could be read as both (CVE-2021-41190) is refused.

use oci_spec::image::{Descriptor, ImageIndex, ImageManifest};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::digest::Digest;
use crate::platform::Platform;

/// Media type of an index (OCI image-spec, image-index.md).
pub(super) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Media type of an image manifest (OCI image-spec, manifest.md).
pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of an image configuration (OCI image-spec, config.md).
pub(super) const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// What a document is, by its media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Media {
    /// A list of manifests, one per platform.
    Index,
    /// The manifest of one image.
    Manifest,
}

/// A document, parsed.
#[derive(Debug)]
pub(crate) enum Document {
    /// A list of manifests.
    Index(Box<ImageIndex>),
    /// One image.
    Manifest(Box<ImageManifest>),
}

/// Why a document is refused.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The text is not the JSON it should be.
    #[error("{what} `{digest}` is not well formed")]
    Syntax {
        /// "manifest", "index", "image configuration".
        what: &'static str,
        /// Which one.
        digest: Digest,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The document can be read in two ways, or not at all.
    #[error("manifest `{digest}` {why}")]
    Ambiguous {
        /// Which one.
        digest: Digest,
        /// Why.
        why: &'static str,
    },
    /// A media type we do not know.
    #[error("`{digest}` has the unsupported media type `{media_type}`")]
    Media {
        /// Which document or layer.
        digest: Digest,
        /// What it says it is.
        media_type: String,
    },
    /// A descriptor names its content by something else than SHA-256.
    #[error("descriptor with digest `{0}`")]
    Digest(String, #[source] crate::digest::DigestError),
    /// There is no image for the platform.
    #[error("index `{digest}` has no image for platform {platform}; it has {offered}")]
    Platform {
        /// The index.
        digest: Digest,
        /// The platform asked for.
        platform: Platform,
        /// The platforms it has.
        offered: String,
    },
    /// Manifest and configuration disagree.
    #[error("manifest `{digest}` has {layers} layers and its configuration {diff_ids} diff IDs")]
    LayerCount {
        /// The manifest.
        digest: Digest,
        /// Layers of the manifest.
        layers: usize,
        /// Diff IDs of the configuration.
        diff_ids: usize,
    },
}

/// The fields by which the kinds of documents differ. Listing them makes a repeated one an error.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    schema_version: Option<u64>,
    media_type: Option<String>,
    manifests: Option<IgnoredAny>,
    config: Option<IgnoredAny>,
    layers: Option<IgnoredAny>,
    fs_layers: Option<IgnoredAny>,
}

impl Media {
    /// Media types to ask a registry for, in order of preference.
    pub(crate) const ACCEPTED: [&'static str; 4] = [OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST];

    /// Reads a media type as it stands in a header or descriptor; parameters (`; charset=…`) do not count.
    pub(crate) fn of(media_type: &str) -> Option<Media> {
        match media_type.split(';').next().unwrap_or_default().trim() {
            OCI_INDEX | DOCKER_LIST => Some(Media::Index),
            OCI_MANIFEST | DOCKER_MANIFEST => Some(Media::Manifest),
            _ => None,
        }
    }
}

impl Document {
    /// Parses `bytes`, whose digest is `digest` and which came with the media type `announced`.
    pub(crate) fn parse(bytes: &[u8], digest: &Digest, announced: Option<&str>) -> Result<Document, ManifestError> {
        let syntax = |what| move |source| ManifestError::Syntax { what, digest: digest.clone(), source };
        let shape: Shape = serde_json::from_slice(bytes).map_err(syntax("manifest"))?;
        Ok(match shape.media(digest, announced)? {
            Media::Index => Document::Index(serde_json::from_slice(bytes).map_err(syntax("index"))?),
            Media::Manifest => Document::Manifest(serde_json::from_slice(bytes).map_err(syntax("manifest"))?),
        })
    }
}

impl Document {
    /// Returns its media type; OCI's where it does not say.
    pub(crate) fn media_type(&self) -> String {
        let (said, default) = match self {
            Document::Index(index) => (index.media_type(), OCI_INDEX),
            Document::Manifest(manifest) => (manifest.media_type(), OCI_MANIFEST),
        };
        said.as_ref().map_or_else(|| default.to_owned(), ToString::to_string)
    }
}

impl Shape {
    /// Decides what the document is, from its fields, and demands that everything else agrees.
    fn media(&self, digest: &Digest, announced: Option<&str>) -> Result<Media, ManifestError> {
        let ambiguous = |why| Err(ManifestError::Ambiguous { digest: digest.clone(), why });
        if self.fs_layers.is_some() || self.schema_version == Some(1) {
            return ambiguous("is of Docker's schema 1, which has no content digests and is not supported");
        }
        if self.schema_version != Some(2) {
            return ambiguous("has no `schemaVersion` 2");
        }
        let media = match (&self.manifests, &self.config, &self.layers) {
            (Some(_), None, None) => Media::Index,
            (None, Some(_), Some(_)) => Media::Manifest,
            (Some(_), ..) => return ambiguous("has the fields of an index and of an image"),
            _ => return ambiguous("has neither the fields of an index nor those of an image"),
        };
        for media_type in [self.media_type.as_deref(), announced].into_iter().flatten() {
            match Media::of(media_type) {
                Some(said) if said == media => {}
                Some(_) => return ambiguous("has another media type than its fields say"),
                None => {
                    let media_type = media_type.to_owned();
                    return Err(ManifestError::Media { digest: digest.clone(), media_type });
                }
            }
        }
        Ok(media)
    }
}

/// Reads a descriptor's digest.
pub(crate) fn descriptor_digest(descriptor: &Descriptor) -> Result<Digest, ManifestError> {
    let text = descriptor.digest().to_string();
    text.parse().map_err(|error| ManifestError::Digest(text, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DESCRIPTOR: &str = r#"{"mediaType":"application/vnd.oci.image.config.v1+json","size":2,"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}"#;

    fn parse(text: &str, announced: Option<&str>) -> Result<Document, ManifestError> {
        Document::parse(text.as_bytes(), &Digest::of(text.as_bytes()), announced)
    }

    fn document(fields: &str) -> String {
        format!(r#"{{"schemaVersion":2,{fields}}}"#).replace('$', DESCRIPTOR)
    }

    #[test]
    fn indexes_and_manifests_of_both_families_are_read() {
        let manifest = document(r#""config":$,"layers":[$]"#);
        for announced in [None, Some(OCI_MANIFEST), Some(DOCKER_MANIFEST)] {
            assert!(matches!(parse(&manifest, announced), Ok(Document::Manifest(_))));
        }
        let index = document(r#""mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]"#);
        assert!(matches!(
            parse(&index, Some("application/vnd.oci.image.index.v1+json; charset=utf-8")),
            Ok(Document::Index(_))
        ));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        let cases = [
            (document(r#""manifests":[],"config":$,"layers":[]"#), None),
            (document(r#""manifests":[],"layers":[]"#), None),
            (document(r#""config":$"#), None),
            (document(r#""layers":[]"#), None),
            (document(r#""x":1"#), None),
            (document(r#""config":$,"layers":[],"layers":[$]"#), None),
            (document(r#""config":$,"layers":[],"fsLayers":[]"#), None),
            (document(r#""config":$,"layers":[]"#), Some(OCI_INDEX)),
            (document(r#""config":$,"layers":[]"#), Some("text/html")),
            (document(r#""mediaType":"application/vnd.oci.image.index.v1+json","config":$,"layers":[]"#), None),
            (document(r#""mediaType":"application/vnd.oci.image.manifest.v1+json","manifests":[]"#), None),
            (r#"{"schemaVersion":1,"fsLayers":[]}"#.to_owned(), None),
            (r#"{"manifests":[]}"#.to_owned(), None),
            ("[]".to_owned(), None),
            ("null".to_owned(), None),
            (document(r#""manifests":null"#), None),
        ];
        for (text, announced) in cases {
            assert!(parse(&text, announced).is_err(), "{text}");
        }
    }
}
