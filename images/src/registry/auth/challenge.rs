//! What a registry wants to see before it answers: the challenges of `WWW-Authenticate`.
//!
//! Runs in the shell command's process; pure. RFC 9110 section 11.6.1; Distribution project, "Token Authentication
//! Specification".

use http_auth::ChallengeRef;
use reqwest::Url;

use crate::registry::endpoint::Endpoint;
use crate::registry::failure::Failure;

/// How to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// With name and password.
    Basic,
    /// With a token of the server at `realm`.
    Bearer {
        /// Where tokens are.
        realm: Url,
        /// What the token server knows the registry as.
        service: Option<String>,
    },
}

impl Challenge {
    /// Chooses from the headers of an answer 401 by `endpoint`: a token before a password.
    pub(super) fn of(headers: &[String], endpoint: &Endpoint) -> Result<Challenge, Failure> {
        let parsed = || headers.iter().filter_map(|text| http_auth::parse_challenges(text).ok()).flatten();
        let of_scheme = |scheme: &str| parsed().find(|challenge| challenge.scheme.eq_ignore_ascii_case(scheme));
        if let Some(bearer) = of_scheme("Bearer") {
            let realm = realm(&bearer, endpoint)?;
            return Ok(Challenge::Bearer { realm, service: parameter(&bearer, "service") });
        }
        match of_scheme("Basic") {
            Some(_) => Ok(Challenge::Basic),
            None => Err(Failure::Denied(": it does not say how to log in".to_owned())),
        }
    }
}

/// Reads the realm: never without TLS for a registry that was reached with TLS.
fn realm(bearer: &ChallengeRef<'_>, endpoint: &Endpoint) -> Result<Url, Failure> {
    let text = parameter(bearer, "realm").unwrap_or_default();
    let realm: Url =
        text.parse().map_err(|_| Failure::Protocol(format!("token realm `{}` is no URL", text.escape_default())))?;
    if realm.scheme() != "https" && (endpoint.is_tls() || realm.scheme() != "http") {
        return Err(Failure::Protocol(format!("token realm `{realm}` is not https")));
    }
    Ok(realm)
}

fn parameter(challenge: &ChallengeRef<'_>, name: &str) -> Option<String> {
    let (_, value) = challenge.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
    Some(value.to_unescaped())
}

/// Tells whether a token server may see the password of a registry: one of the same host or domain, or one that the
/// administrator `listed`.
///
/// A domain is at least `name.tld`, or `name.co.uk`: a short label below a country's is taken for a registry of names.
pub(super) fn may_see_password(realm: &str, registry: &str, listed: &[String]) -> bool {
    let registry = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
    realm == registry || listed.iter().any(|host| host == realm) || same_domain(realm, registry)
}

fn same_domain(one: &str, other: &str) -> bool {
    if one.contains('[') || one.parse::<std::net::Ipv4Addr>().is_ok() {
        return false;
    }
    let common = one.rsplit('.').zip(other.rsplit('.')).take_while(|(one, other)| one == other).map(|(label, _)| label);
    match common.collect::<Vec<_>>()[..] {
        [] | [_] => false,
        [country, name] => !(country.len() == 2 && name.len() <= 3),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::registry::endpoint::Role;

    fn challenge(base: &str, text: &str) -> Result<Challenge, Failure> {
        let endpoint = Endpoint { role: Role::Registry, base: base.to_owned(), domain: "a.b".to_owned() };
        Challenge::of(&[text.to_owned()], &endpoint)
    }

    #[test]
    fn a_token_comes_before_a_password() {
        let both = r#"Basic realm="x", Bearer realm="https://auth.docker.io/token",service="registry.docker.io""#;
        let realm = "https://auth.docker.io/token".parse().unwrap();
        let expected = Challenge::Bearer { realm, service: Some("registry.docker.io".to_owned()) };
        assert_eq!(challenge("https://a.b", both), Ok(expected));
        assert_eq!(challenge("https://a.b", "basic realm=x"), Ok(Challenge::Basic));
        assert!(matches!(challenge("https://a.b", "Negotiate"), Err(Failure::Denied(_))));
    }

    #[test]
    fn a_realm_without_tls_is_for_registries_without_tls() {
        let plain = r#"Bearer realm="http://127.0.0.1:1/token""#;
        assert!(challenge("http://127.0.0.1:5000", plain).is_ok());
        assert!(matches!(challenge("https://a.b", plain), Err(Failure::Protocol(_))));
        let file = r#"Bearer realm="file:///etc/passwd""#;
        assert!(matches!(challenge("http://127.0.0.1:5000", file), Err(Failure::Protocol(_))));
    }

    #[test]
    fn a_password_goes_to_the_registrys_own_domain_or_where_the_administrator_says() {
        let listed = ["login.elsewhere.net".to_owned()];
        let may = |realm, registry| may_see_password(realm, registry, &listed);
        for (realm, registry) in [
            ("auth.docker.io", "registry-1.docker.io"),
            ("gitlab.example.com", "registry.example.com:5050"),
            ("example.com", "registry.example.com"),
            ("127.0.0.1", "127.0.0.1:5000"),
            ("login.elsewhere.net", "registry.example.com"),
            ("auth.team.co.uk", "hub.team.co.uk"),
        ] {
            assert!(may(realm, registry), "{realm} for {registry}");
        }
        for (realm, registry) in [
            ("evil.com", "registry.example.com"),
            ("registry.example.com.evil.com", "registry.example.com"),
            ("evil.co.uk", "hub.co.uk"),
            ("127.0.0.2", "127.0.0.1:5000"),
            ("10.0.0.1", "11.0.0.1"),
            ("com", "example.com"),
            ("evilexample.com", "example.com"),
        ] {
            assert!(!may(realm, registry), "{realm} for {registry}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_understood_or_refused(text in "\\PC{0,120}") {
            let _ = challenge("https://a.b", &text);
        }
    }
}
