//! What an image was built from, and how: a statement of SLSA provenance in an attestation manifest beside the image's, as
//! BuildKit writes it (adr/0039).
//!
//! Runs in the shell command's process; pure but for the clock. in-toto Statement v1, SLSA Provenance v1; BuildKit's
//! attestation-storage.md.

use std::sync::PoisonError;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::session::Build;
use crate::digest::Digest;
use crate::manifest;
use crate::platform::Platform;
use crate::reference::Reference;

/// Kind of the predicate.
const PREDICATE: &str = "https://slsa.dev/provenance/v1";

/// Media type of a statement as a layer.
const STATEMENT: &str = "application/vnd.in-toto+json";

/// What the parameters of a build mean.
const BUILD_TYPE: &str = "urn:lighter:dockerfile:v1";

/// How much provenance says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Provenance {
    /// `mode=max`: the Dockerfile and the values of its arguments too, besides what went into the image.
    pub is_full: bool,
    /// `builder-id`: who vouches for it, as a URI.
    pub builder: String,
}

/// An image that is told of.
pub(crate) struct Subject<'a> {
    pub(crate) manifest: &'a Digest,
    pub(crate) platform: &'a Platform,
    pub(crate) names: &'a [Reference],
}

/// The documents of an attestation: statement, configuration, manifest, and the descriptor of the last.
pub(crate) struct Attestation {
    pub(crate) documents: [Vec<u8>; 3],
    pub(crate) descriptor: Value,
}

/// Tells of one image.
pub(crate) fn attest(build: &Build<'_>, subject: &Subject<'_>, how: &Provenance) -> Attestation {
    let statement = statement(subject, &predicate(build, subject.platform, how)).to_string().into_bytes();
    let digest = Digest::of(&statement);
    let config = json!({
        "architecture": "unknown",
        "os": "unknown",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [digest]},
    });
    let config = config.to_string().into_bytes();
    let mut layer = manifest::descriptor(STATEMENT, &digest, statement.len() as u64);
    layer["annotations"] = json!({"in-toto.io/predicate-type": PREDICATE});
    let own = manifest::image(&config, vec![layer], &Default::default());
    let mut descriptor = manifest::descriptor(manifest::OCI_MANIFEST, &Digest::of(&own), own.len() as u64);
    descriptor["annotations"] = json!({
        "vnd.docker.reference.digest": subject.manifest,
        "vnd.docker.reference.type": "attestation-manifest",
    });
    descriptor["platform"] = json!({"architecture": "unknown", "os": "unknown"});
    Attestation { documents: [statement, config, own], descriptor }
}

fn statement(subject: &Subject<'_>, predicate: &Value) -> Value {
    let digest = json!({"sha256": subject.manifest.hex()});
    let named = |reference: &Reference| package(&reference.familiar(), subject.platform);
    let mut subjects: Vec<Value> =
        subject.names.iter().map(|name| json!({"name": named(name), "digest": digest})).collect();
    if subjects.is_empty() {
        subjects.push(json!({"name": "_", "digest": digest}));
    }
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subjects,
        "predicateType": PREDICATE,
        "predicate": predicate,
    })
}

fn predicate(build: &Build<'_>, platform: &Platform, how: &Provenance) -> Value {
    let request = build.request;
    let mut parameters = json!({
        "configSource": {"path": request.file_name},
        "request": {"frontend": "dockerfile", "platform": platform.to_string(), "target": request.target},
    });
    if how.is_full {
        parameters["configSource"]["digest"] = json!({"sha256": Digest::of(request.dockerfile.as_bytes()).hex()});
        parameters["configSource"]["content"] = json!(request.dockerfile);
        parameters["request"]["args"] = json!(request.arguments);
        parameters["request"]["labels"] = json!(request.labels);
        // Names alone: what is in them is nobody's business.
        parameters["request"]["secrets"] = json!(request.secrets.keys().collect::<Vec<_>>());
        parameters["request"]["ssh"] = json!(request.agents.keys().collect::<Vec<_>>());
    }
    let started = build.begun;
    let latest = |time: Timestamp| {
        let limit = request.latest_time.and_then(|seconds| Timestamp::from_second(seconds).ok());
        limit.map_or(time, |limit| limit.min(time)).to_string()
    };
    let materials = build.materials.lock().unwrap_or_else(PoisonError::into_inner);
    let dependency = |(uri, digest): (&String, &Option<(&str, String)>)| match digest {
        Some((algorithm, digest)) => json!({"uri": uri, "digest": {*algorithm: digest}}),
        None => json!({"uri": uri}),
    };
    let dependencies: Vec<Value> = materials.iter().map(dependency).collect();
    json!({
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": parameters,
            "internalParameters": {"builderPlatform": Platform::host().to_string()},
            "resolvedDependencies": dependencies,
        },
        "runDetails": {
            "builder": {"id": how.builder, "version": {"lighter": env!("CARGO_PKG_VERSION")}},
            "metadata": {"startedOn": latest(started), "finishedOn": latest(Timestamp::now())},
        },
    })
}

/// Returns an image's package URL: `pkg:docker/NAME@TAG?platform=…`.
pub(crate) fn package(name: &str, platform: &Platform) -> String {
    let (repository, version) = match name.split_once('@') {
        Some((repository, digest)) => (repository, digest),
        None => match name.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') => (repository, tag),
            _ => (name, "latest"),
        },
    };
    let platform = platform.to_string().replace('/', "%2F");
    format!("pkg:docker/{repository}@{}?platform={platform}", version.replace(':', "%3A"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_url_has_repository_version_and_platform() {
        let platform = "linux/arm/v7".parse().unwrap();
        let table = [
            ("debian:12-slim", "pkg:docker/debian@12-slim?platform=linux%2Farm%2Fv7"),
            ("host:5000/a/b", "pkg:docker/host:5000/a/b@latest?platform=linux%2Farm%2Fv7"),
            ("a@sha256:0", "pkg:docker/a@sha256%3A0?platform=linux%2Farm%2Fv7"),
        ];
        for (name, expected) in table {
            assert_eq!(package(name, &platform), expected);
        }
    }

    #[test]
    fn a_statement_names_the_image_by_its_digest() {
        let (digest, platform) = (Digest::of(b"manifest"), "linux/amd64".parse().unwrap());
        let names = ["reg:5000/app:1".parse().unwrap()];
        let made = statement(&Subject { manifest: &digest, platform: &platform, names: &names }, &json!({"a": 1}));
        let expected = json!([{
            "name": "pkg:docker/reg:5000/app@1?platform=linux%2Famd64",
            "digest": {"sha256": digest.hex()},
        }]);
        assert_eq!((&made["subject"], &made["predicate"]["a"]), (&expected, &json!(1)));
        let nameless = statement(&Subject { manifest: &digest, platform: &platform, names: &[] }, &json!({}));
        assert_eq!(nameless["subject"][0]["name"], "_");
    }
}
