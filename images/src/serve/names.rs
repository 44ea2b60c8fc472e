//! Repositories by their two names: as clients spell them in a URL, and as the store's references do.
//!
//! Runs in the shell command's process; pure. See docs/adr/0013.
//!
//! ```text
//! team/app       pushed            localhost/team/app         what a client pushed, and nothing else, is in this domain
//! library/redis  pulled            docker.io/library/redis
//! ghcr.io/a/b    pulled            ghcr.io/a/b
//! host.lan_5000/a                  host.lan:5000/a            a repository's name cannot have a colon
//! ```

use crate::reference::Reference;

/// The domain of what was pushed here: nobody pulls from it, so a push never takes the place of another image.
const PUSHED: &str = "localhost";

/// The domain that clients leave out.
const DEFAULT: &str = "docker.io";

/// Returns the names by which the store may have the repository `name`, the first being that of what was pushed.
///
/// `upstream` is the registry that the client takes this one for a mirror of (containerd's `ns`): then nothing that was
/// pushed here is meant. `None` if no repository can have that name.
pub(crate) fn stored(name: &str, upstream: Option<&str>) -> Option<Vec<String>> {
    let pushed = parse(&format!("{PUSHED}/{name}")).filter(|reference| reference.path() == name)?;
    let pulled = match upstream {
        Some(domain) => format!("{domain}/{name}"),
        None => with_port(name),
    };
    let pulled = parse(&pulled).filter(|reference| reference.domain() != PUSHED).map(|reference| reference.name());
    match upstream {
        Some(_) => pulled.map(|name| vec![name]),
        None => Some(std::iter::once(pushed.name()).chain(pulled).collect()),
    }
}

/// Returns the name by which a repository of the store is served; `None` for the few that cannot be spelled.
pub(super) fn served(stored_name: &str) -> Option<String> {
    let (domain, path) = stored_name.split_once('/')?;
    let name = match domain {
        PUSHED | DEFAULT => path.to_owned(),
        _ => format!("{}/{path}", domain.replace(':', "_")),
    };
    stored(&name, None)?.iter().any(|found| found == stored_name).then_some(name)
}

fn parse(text: &str) -> Option<Reference> {
    text.parse::<Reference>().ok().filter(|reference| reference.digest().is_none())
}

/// Puts the port back: labels of a domain have no underscore (RFC 1123, 2.1), so the last one before digits is ours.
fn with_port(name: &str) -> String {
    let is_port = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let split = name.split_once('/').and_then(|(domain, path)| Some((domain.rsplit_once('_')?, path)));
    match split {
        Some(((host, port), path)) if is_port(port) && (host.contains('.') || host == PUSHED) => {
            format!("{host}:{port}/{path}")
        }
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_means_what_was_pushed_by_it_and_then_what_was_pulled() {
        let table: [(&str, Option<&str>, &[&str]); 8] = [
            ("team/app", None, &["localhost/team/app", "docker.io/team/app"]),
            ("redis", None, &["localhost/redis", "docker.io/library/redis"]),
            ("library/redis", None, &["localhost/library/redis", "docker.io/library/redis"]),
            ("ghcr.io/a/b", None, &["localhost/ghcr.io/a/b", "ghcr.io/a/b"]),
            ("host.lan_5000/a", None, &["localhost/host.lan_5000/a", "host.lan:5000/a"]),
            ("localhost/a", None, &["localhost/localhost/a"]),
            ("library/redis", Some("docker.io"), &["docker.io/library/redis"]),
            ("a/b", Some("ghcr.io"), &["ghcr.io/a/b"]),
        ];
        for (name, upstream, expected) in table {
            assert_eq!(stored(name, upstream).unwrap(), expected, "{name}");
        }
        for name in ["", "A", "a:1", "../a", "a//b", "a/", &"a".repeat(300), "a@sha256:0"] {
            assert_eq!(stored(name, None), None, "{name}");
        }
    }

    #[test]
    fn what_the_store_has_is_served_by_a_name_that_leads_back() {
        for (name, expected) in [
            ("localhost/team/app", Some("team/app")),
            ("docker.io/library/redis", Some("library/redis")),
            ("ghcr.io/a/b", Some("ghcr.io/a/b")),
            ("127.0.0.1:5055/library/redis", Some("127.0.0.1_5055/library/redis")),
            ("localhost:5000/a", Some("localhost_5000/a")),
            ("[::1]:5000/a", None),
            ("Registry/a", None),
            ("docker.io/a.b/c", None),
        ] {
            assert_eq!(served(name).as_deref(), expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_name_is_refused_or_leads_into_the_domain_of_what_is_pushed(name in "\\PC{0,60}") {
            for stored in stored(&name, None).into_iter().flatten().take(1) {
                prop_assert_eq!(stored.strip_prefix("localhost/"), Some(name.as_str()));
                prop_assert_eq!(served(&stored), Some(name.clone()));
            }
        }
    }
}
