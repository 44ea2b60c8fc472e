//! Bearer tokens: what a registry that wants one asks for, and the trip to fetch it.
//!
//! Runs in the shell command's process, in the registry thread. Distribution project, "Token Authentication
//! Specification". Nobody is logged in: the token is one that anybody gets. The realm is where the registry says, but
//! never without TLS for a registry that was reached with TLS.

use http_auth::ChallengeRef;
use oci_distribution::token_cache::RegistryToken;
use reqwest::{Client, Url};

use super::endpoint::Endpoint;
use super::failure::Failure;
use super::http::{bounded, transport};

/// Largest answer of a token server, in bytes.
const LARGEST_TOKEN: u64 = 256 * 1024;

/// Fetches a token for reading `repository`, as one of the `challenges` (WWW-Authenticate headers) says.
pub(super) async fn token(
    client: &Client,
    endpoint: &Endpoint,
    challenges: &[String],
    repository: &str,
) -> Result<String, Failure> {
    let url = token_url(endpoint, challenges, repository)?;
    let host = url.host_str().unwrap_or_default().to_owned();
    let response = client.get(url).send().await.map_err(transport)?;
    if !response.status().is_success() {
        return Err(Failure::Denied(format!(": token server `{host}` answers {}", response.status().as_u16())));
    }
    let body = bounded(response, LARGEST_TOKEN).await?;
    // The error of a JSON reader may quote the text, and the text is a secret.
    let token: RegistryToken = serde_json::from_slice(&body)
        .map_err(|_| Failure::Protocol(format!("token server `{host}` answers without a token")))?;
    Ok(token.token().to_owned())
}

fn token_url(endpoint: &Endpoint, challenges: &[String], repository: &str) -> Result<Url, Failure> {
    let parsed = challenges.iter().filter_map(|text| http_auth::parse_challenges(text).ok()).flatten();
    let bearer = parsed.into_iter().find(|challenge| challenge.scheme.eq_ignore_ascii_case("Bearer"));
    let Some(bearer) = bearer else { return Err(Failure::Denied(": login is needed".to_owned())) };
    let realm = parameter(&bearer, "realm").unwrap_or_default();
    let mut url: Url =
        realm.parse().map_err(|_| Failure::Protocol(format!("token realm `{}` is no URL", realm.escape_default())))?;
    if url.scheme() != "https" && (endpoint.is_tls() || url.scheme() != "http") {
        return Err(Failure::Protocol(format!("token realm `{url}` is not https")));
    }
    if let Some(service) = parameter(&bearer, "service") {
        url.query_pairs_mut().append_pair("service", &service);
    }
    url.query_pairs_mut().append_pair("scope", &format!("repository:{repository}:pull"));
    Ok(url)
}

fn parameter(challenge: &ChallengeRef<'_>, name: &str) -> Option<String> {
    let (_, value) = challenge.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
    Some(value.to_unescaped())
}

#[cfg(test)]
mod tests {
    use super::super::endpoint::Role;
    use super::*;

    fn url(base: &str, challenge: &str) -> Result<String, Failure> {
        let endpoint = Endpoint { role: Role::Registry, base: base.to_owned() };
        token_url(&endpoint, &[challenge.to_owned()], "library/redis").map(|url| url.to_string())
    }

    #[test]
    fn the_realm_is_asked_for_this_repository_only() {
        let challenge = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="*""#;
        let expected =
            "https://auth.docker.io/token?service=registry.docker.io&scope=repository%3Alibrary%2Fredis%3Apull";
        assert_eq!(url("https://registry-1.docker.io", challenge).unwrap(), expected);
    }

    #[test]
    fn a_realm_without_tls_is_for_registries_without_tls() {
        let challenge = r#"Bearer realm="http://127.0.0.1:1/token""#;
        assert!(url("http://127.0.0.1:5000", challenge).is_ok());
        assert!(matches!(url("https://a.b", challenge), Err(Failure::Protocol(_))));
        assert!(matches!(
            url("http://127.0.0.1:5000", r#"Bearer realm="file:///etc/passwd""#),
            Err(Failure::Protocol(_))
        ));
        assert!(matches!(url("https://a.b", r#"Basic realm="x""#), Err(Failure::Denied(_))));
    }
}
