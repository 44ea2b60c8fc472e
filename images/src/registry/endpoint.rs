//! The places where a reference may be served: its registry's mirrors in order, then the registry itself.
//!
//! Runs in the shell command's process; pure. Plain HTTP is for this host's own loopback and for registries that the
//! administrator listed; to any other, nothing is ever sent without TLS.

use std::fmt;
use std::net::IpAddr;

use super::config::RegistryConfig;
use crate::reference::Reference;

/// The host that serves `docker.io`.
const DOCKER_HUB: &str = "registry-1.docker.io";

/// One place to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// Whether it is a mirror or the registry itself.
    pub(super) role: Role,
    /// `http://host[:port]` or `https://host[:port]`, perhaps with a path, without a slash at the end.
    pub(super) base: String,
    /// The name under which its settings and its password are kept: `docker.io`, or host and port.
    pub(super) domain: String,
}

/// What a place is to the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A mirror from the configuration.
    Mirror,
    /// The registry that the reference names.
    Registry,
}

impl Endpoint {
    /// Lists the places for `reference`, in the order in which to ask.
    pub(super) fn all(reference: &Reference, config: &RegistryConfig) -> Vec<Endpoint> {
        let settings = config.of(reference.domain());
        let mirrors = settings.mirrors.iter().map(|base| Endpoint::mirror(base));
        mirrors.chain(Endpoint::registry(reference.domain(), config)).collect()
    }

    /// Lists the ways to the registry `domain` itself, in the order in which to try them.
    pub(super) fn registry(domain: &str, config: &RegistryConfig) -> Vec<Endpoint> {
        let host = if domain == "docker.io" { DOCKER_HUB } else { domain };
        let schemes: &[&str] = match (is_loopback(host), config.of(domain).insecure) {
            (true, _) => &["http", "https"],
            (false, true) => &["https", "http"],
            (false, false) => &["https"],
        };
        let endpoint = |scheme: &&str| {
            let (base, domain) = (format!("{scheme}://{host}"), domain.to_owned());
            Endpoint { role: Role::Registry, base, domain }
        };
        schemes.iter().map(endpoint).collect()
    }

    fn mirror(base: &str) -> Endpoint {
        let base = base.trim_end_matches('/').to_owned();
        let domain = authority(&base).to_owned();
        Endpoint { role: Role::Mirror, base, domain }
    }

    /// Returns host and port.
    pub(super) fn authority(&self) -> &str {
        authority(&self.base)
    }

    /// Tells whether everything to and from it is protected.
    pub(super) fn is_tls(&self) -> bool {
        self.base.starts_with("https://")
    }

    /// Tells whether it is on this host; such a place is never asked through a proxy.
    pub(super) fn is_loopback(&self) -> bool {
        is_loopback(self.authority())
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = match self.role {
            Role::Mirror => "mirror",
            Role::Registry => "registry",
        };
        write!(formatter, "{role} `{}`", self.base)
    }
}

fn authority(base: &str) -> &str {
    let rest = base.split_once("://").map_or(base, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

fn is_loopback(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn bases(reference: &str, config: &str) -> Vec<String> {
        let config = RegistryConfig::parse(config, Path::new("config.toml")).unwrap();
        Endpoint::all(&reference.parse().unwrap(), &config).into_iter().map(|endpoint| endpoint.base).collect()
    }

    #[test]
    fn mirrors_come_first_and_only_loopback_or_listed_hosts_are_asked_without_tls() {
        let config =
            "[registry.'docker.io']\nmirrors = ['http://a:1/', 'https://b']\n[registry.'c.d']\ninsecure = true";
        assert_eq!(bases("redis", config), ["http://a:1", "https://b", "https://registry-1.docker.io"]);
        assert_eq!(bases("c.d/x", config), ["https://c.d", "http://c.d"]);
        assert_eq!(bases("e.f:5000/x", config), ["https://e.f:5000"]);
        for host in ["127.0.0.1:5000", "127.9.9.9", "localhost:1", "localhost", "[::1]:5000", "[::1]"] {
            assert_eq!(bases(&format!("{host}/x"), config), [format!("http://{host}"), format!("https://{host}")]);
        }
        assert_eq!(bases("localhost.evil.com/x", config), ["https://localhost.evil.com"]);
    }
}
