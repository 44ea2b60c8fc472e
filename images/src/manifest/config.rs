//! Image configurations: the OCI ones, and what Docker adds to them.
//!
//! Runs in the shell command's process; pure.

use std::time::Duration;

use oci_spec::image::{ImageConfiguration, ImageManifest};
use serde::Deserialize;

use super::document::ManifestError;
use crate::digest::Digest;

/// A Dockerfile's HEALTHCHECK, which OCI's configuration leaves out and Docker's has under `config.Healthcheck`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Healthcheck {
    /// `["NONE"]`, `["CMD", program, argument…]` or `["CMD-SHELL", command]`; empty means inherited, so nothing.
    pub test: Vec<String>,
    /// Pause between two probes; `None` means the default, as for the rest.
    pub interval: Option<Duration>,
    /// Time a probe may take.
    pub timeout: Option<Duration>,
    /// Time after the start in which failures do not count.
    pub start_period: Option<Duration>,
    /// Pause between two probes within the start period.
    pub start_interval: Option<Duration>,
    /// Failures in a row that make the container unhealthy.
    pub retries: Option<u32>,
}

#[derive(Deserialize)]
struct DockerPart {
    config: Option<DockerConfig>,
}

#[derive(Deserialize)]
struct DockerConfig {
    #[serde(rename = "Healthcheck")]
    healthcheck: Option<DockerHealthcheck>,
}

/// Docker's spelling: durations in nanoseconds, 0 for the default.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct DockerHealthcheck {
    test: Option<Vec<String>>,
    interval: u64,
    timeout: u64,
    start_period: u64,
    start_interval: u64,
    retries: u32,
}

impl From<DockerHealthcheck> for Healthcheck {
    fn from(docker: DockerHealthcheck) -> Healthcheck {
        let duration = |nanoseconds: u64| (nanoseconds > 0).then(|| Duration::from_nanos(nanoseconds));
        Healthcheck {
            test: docker.test.unwrap_or_default(),
            interval: duration(docker.interval),
            timeout: duration(docker.timeout),
            start_period: duration(docker.start_period),
            start_interval: duration(docker.start_interval),
            retries: (docker.retries > 0).then_some(docker.retries),
        }
    }
}

/// Parses a configuration whose digest is `digest`.
pub(crate) fn parse_config(
    bytes: &[u8],
    digest: &Digest,
) -> Result<(ImageConfiguration, Option<Healthcheck>), ManifestError> {
    let syntax = |source| ManifestError::Syntax { what: "image configuration", digest: digest.clone(), source };
    let config = serde_json::from_slice(bytes).map_err(syntax)?;
    let docker: DockerPart = serde_json::from_slice(bytes).map_err(syntax)?;
    Ok((config, docker.config.and_then(|config| config.healthcheck).map(Healthcheck::from)))
}

/// Returns each layer's diff ID and chain ID, bottom first, after checking that the manifest has as many layers.
pub(crate) fn rootfs_digests(
    config: &ImageConfiguration,
    manifest: &ImageManifest,
    digest: &Digest,
) -> Result<Vec<(Digest, Digest)>, ManifestError> {
    let (layers, diff_ids) = (manifest.layers().len(), config.rootfs().diff_ids().len());
    if layers != diff_ids {
        return Err(ManifestError::LayerCount { digest: digest.clone(), layers, diff_ids });
    }
    chain(config)
}

/// Returns each layer's diff ID and chain ID, bottom first: OCI image-spec, config.md, "Layer ChainID".
pub(crate) fn chain(config: &ImageConfiguration) -> Result<Vec<(Digest, Digest)>, ManifestError> {
    let mut digests: Vec<(Digest, Digest)> = Vec::new();
    for text in config.rootfs().diff_ids() {
        let diff_id: Digest = text.parse().map_err(|error| ManifestError::Digest(text.clone(), error))?;
        let chain_id = match digests.last() {
            Some((_, parent)) => Digest::of(format!("{parent} {diff_id}").as_bytes()),
            None => diff_id.clone(),
        };
        digests.push((diff_id, chain_id));
    }
    Ok(digests)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dockers_healthcheck_is_read_beside_the_oci_fields() {
        let text = br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]},
            "config":{"Cmd":["x"],"Volumes":null,"OnBuild":null,"Healthcheck":{"Test":["CMD","true"],"Interval":5000000000,"Retries":3}}}"#;
        let (config, healthcheck) = parse_config(text, &Digest::of(text)).unwrap();
        assert_eq!(config.config().as_ref().unwrap().cmd(), &Some(vec!["x".to_owned()]));
        let healthcheck = healthcheck.unwrap();
        assert_eq!((healthcheck.interval, healthcheck.timeout), (Some(Duration::from_secs(5)), None));
        assert_eq!((healthcheck.test, healthcheck.retries), (vec!["CMD".to_owned(), "true".to_owned()], Some(3)));
    }
}
