//! The configuration hash of a service, a network or a volume: what decides whether `up` recreates it.
//!
//! Runs in the command; pure. A hash is the SHA-256 of the canonical document, without what does not concern a single
//! container, in a fixed order.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::model::{Network, Service, Volume};
use crate::render;
use crate::specify::ContentFile;
use crate::yaml::Node;

/// Attributes of a service that no container of it can show, as in Docker Compose: a change of them recreates nothing.
const WITHOUT: [&str; 8] =
    ["attach", "build", "depends_on", "develop", "profiles", "pull_policy", "pull_refresh_after", "scale"];

/// Returns the hash of what makes a container of this service differ from another, 64 hexadecimal digits.
pub fn config_hash(service: &Service) -> String {
    service_hash(service, &[])
}

/// Returns the hash of a service and of the content of its configs and secrets; their names are digests of it.
pub(crate) fn service_hash(service: &Service, files: &[ContentFile]) -> String {
    let mut text = render::compact(&hashed_document(service));
    for file in files {
        let name = file.path.file_name().unwrap_or_default().to_string_lossy();
        let _ = write!(text, " {name}");
    }
    digest(&text)
}

/// Returns the document that is hashed.
fn hashed_document(service: &Service) -> Node {
    let mut document = service.document.clone();
    if let Some(map) = document.as_map_mut() {
        map.0.retain(|entry| !WITHOUT.contains(&entry.key.as_str()) && !entry.key.starts_with("x-"));
        if let Some(deploy) = map.get_mut("deploy").and_then(Node::as_map_mut) {
            deploy.remove("replicas");
        }
    }
    document
}

/// Returns the hash of a network, 64 hexadecimal digits.
pub fn network_hash(network: &Network) -> String {
    let Network { key: _, name, external, internal, driver, options, ipv4, ipv6, ranges, labels } = network;
    // Debug quotes texts and names absences, so that two different networks never read alike.
    digest(&format!("{name:?} {external} {internal} {driver:?} {options:?} {ipv4} {ipv6} {ranges:?} {labels:?}"))
}

/// Returns the hash of a volume, 64 hexadecimal digits.
pub fn volume_hash(volume: &Volume) -> String {
    let Volume { key: _, name, external, options, labels } = volume;
    digest(&format!("{name:?} {external} {labels:?} {options:?}"))
}

fn digest(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}
