//! Under which name a registry's secret is kept.
//!
//! Runs in the shell command's process; pure. Docker keeps it under host and port, that of Docker Hub under the address of
//! a protocol long gone, and reads keys that are URLs too; Podman also under host and repository (containers-auth.json(5)).

/// Docker Hub's key (docker/cli, `cli/config/configfile`).
const HUB: &str = "https://index.docker.io/v1/";

/// Hosts that mean Docker Hub.
const HUB_HOSTS: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];

/// A registry, perhaps with a repository of it, as secrets are kept for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    domain: String,
    repository: Option<String>,
}

impl Server {
    /// Takes a domain as references spell it.
    pub(crate) fn new(domain: &str, repository: Option<&str>) -> Server {
        Server { domain: domain.to_owned(), repository: repository.map(str::to_owned) }
    }

    /// Returns the key under which Docker keeps it.
    pub(super) fn key(&self) -> &str {
        if HUB_HOSTS.contains(&self.domain.as_str()) { HUB } else { &self.domain }
    }

    /// Says how closely a key fits: higher is closer, `None` is not at all.
    pub(super) fn fits(&self, key: &str) -> Option<usize> {
        let host = host(key);
        let is_hub = |host: &str| HUB_HOSTS.contains(&host);
        if host == self.domain || (is_hub(host) && is_hub(&self.domain)) {
            return Some(0);
        }
        let path = key.strip_prefix(&self.domain)?.strip_prefix('/')?;
        let repository = self.repository.as_deref()?;
        let is_above = repository == path || repository.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
        (is_above && !path.is_empty()).then_some(path.len())
    }
}

/// Reduces a URL to host and port, and leaves a bare host and a host with a repository as they are.
fn host(key: &str) -> &str {
    let rest = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://"));
    match rest {
        Some(rest) => rest.split('/').next().unwrap_or(rest),
        None => key.strip_suffix("/v1/").or_else(|| key.strip_suffix("/v2/")).unwrap_or(key).trim_end_matches('/'),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn docker_hub_keeps_its_old_name() {
        assert_eq!(Server::new("docker.io", None).key(), "https://index.docker.io/v1/");
        assert_eq!(Server::new("ghcr.io", Some("a/b")).key(), "ghcr.io");
        for key in ["https://index.docker.io/v1/", "docker.io", "index.docker.io", "registry-1.docker.io"] {
            assert_eq!(Server::new("docker.io", None).fits(key), Some(0), "{key}");
        }
    }

    #[test]
    fn the_closest_key_fits_best_and_a_neighbours_not_at_all() {
        let server = Server::new("a.b:5000", Some("team/app"));
        let fits = |key| server.fits(key);
        assert_eq!([fits("a.b:5000"), fits("https://a.b:5000/v2/"), fits("http://a.b:5000")], [Some(0); 3]);
        assert!(fits("a.b:5000/team/app") > fits("a.b:5000/team"));
        for key in ["a.b", "b", "a.b:5000/te", "a.b:5000/team/app/x", "evil.a.b:5000", "a.b:5000.evil", ""] {
            assert_eq!(fits(key), None, "{key}");
        }
    }

    proptest! {
        #[test]
        fn no_key_of_another_host_fits(key in "\\PC{0,40}") {
            let server = Server::new("registry.example:5000", Some("team/app"));
            prop_assert!(server.fits(&key).is_none() || key.contains("registry.example:5000"));
        }
    }
}
