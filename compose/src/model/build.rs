//! How the image of a service is built.

use std::collections::BTreeMap;

use super::{FileGrant, Ulimit};

/// `build` of a service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Build {
    /// An absolute folder, or a URL.
    pub context: String,
    /// The Dockerfile below the context.
    pub dockerfile: Option<String>,
    /// The Dockerfile itself.
    pub dockerfile_inline: Option<String>,
    /// Values of ARGs.
    pub args: BTreeMap<String, String>,
    /// Further contexts by name: folders, `docker-image://…` or `service:…`.
    pub additional_contexts: BTreeMap<String, String>,
    /// The stage whose result is wanted.
    pub target: Option<String>,
    /// Further names of the image.
    pub tags: Vec<String>,
    /// Labels of the image.
    pub labels: BTreeMap<String, String>,
    /// Secrets that steps may ask for.
    pub secrets: Vec<FileGrant>,
    /// Agents that steps may ask for, by id; an empty value is the user's own.
    pub ssh: BTreeMap<String, String>,
    /// Where earlier builds' cache is.
    pub cache_from: Vec<String>,
    /// Where the cache goes.
    pub cache_to: Vec<String>,
    /// Carry out every step anew.
    pub no_cache: bool,
    /// Stages to carry out anew.
    pub no_cache_filter: Vec<String>,
    /// Ask registries even for images that are here.
    pub pull: bool,
    /// Network of the steps.
    pub network: Option<String>,
    /// `NAME=ADDRESS` lines of the steps' /etc/hosts.
    pub extra_hosts: Vec<String>,
    /// Bytes of /dev/shm.
    pub shm_size: Option<u64>,
    /// Limits of the steps.
    pub ulimits: BTreeMap<String, Ulimit>,
    /// Platforms of the image.
    pub platforms: Vec<String>,
    /// What steps may ask for beyond the usual.
    pub entitlements: Vec<String>,
    /// All entitlements.
    pub privileged: bool,
    /// Which attestation of how the image was made is asked for.
    pub provenance: Option<String>,
    /// Which attestation of what is in the image is asked for.
    pub sbom: Option<String>,
}

impl Build {
    /// Returns the services whose images are contexts of this build.
    pub fn services(&self) -> impl Iterator<Item = &str> {
        self.additional_contexts.values().filter_map(|place| place.strip_prefix("service:"))
    }
}
