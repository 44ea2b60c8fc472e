//! Proxies, as the environment names them.
//!
//! Runs in the shell command's process. Which hosts are excepted follows curl's reading of `NO_PROXY`: names with or
//! without a leading dot, addresses, prefixes, `*`. Loopback is never reached through a proxy.

use std::fmt;

use reqwest::{ClientBuilder, NoProxy, Proxy};

/// Proxies, by the scheme of what is asked for.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    http: Option<String>,
    https: Option<String>,
    except: Option<String>,
}

impl Proxies {
    /// Takes them from variables: `http_proxy`, `https_proxy`, `all_proxy`, `no_proxy`, in lower case first.
    pub fn from_variables<'a>(variable: impl Fn(&str) -> Option<&'a str>) -> Proxies {
        let either = |name: &str| variable(name).or_else(|| variable(&name.to_uppercase())).map(str::to_owned);
        let all = either("all_proxy");
        let (http, https) = (either("http_proxy").or_else(|| all.clone()), either("https_proxy").or(all));
        Proxies { http, https, except: either("no_proxy") }
    }

    /// Has a client use them, and nothing that it finds in the environment itself.
    pub(super) fn apply(&self, builder: ClientBuilder) -> Result<ClientBuilder, reqwest::Error> {
        let except = || self.except.as_deref().and_then(NoProxy::from_string);
        let mut builder = builder.no_proxy();
        if let Some(url) = &self.http {
            builder = builder.proxy(Proxy::http(url)?.no_proxy(except()));
        }
        if let Some(url) = &self.https {
            builder = builder.proxy(Proxy::https(url)?.no_proxy(except()));
        }
        Ok(builder)
    }
}

/// Shows which are set; their URLs may hold passwords.
impl fmt::Debug for Proxies {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (http, https) = (self.http.is_some(), self.https.is_some());
        formatter.debug_struct("Proxies").field("http", &http).field("https", &https).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(variables: &[(&str, &'static str)]) -> Proxies {
        let find = |name: &str| variables.iter().find(|(other, _)| *other == name).map(|(_, value)| *value);
        Proxies::from_variables(find)
    }

    #[test]
    fn lower_case_comes_first_and_all_fills_the_gaps() {
        let proxies = proxies(&[("HTTP_PROXY", "http://b"), ("http_proxy", "http://a"), ("ALL_PROXY", "http://c")]);
        assert_eq!((proxies.http.as_deref(), proxies.https.as_deref()), (Some("http://a"), Some("http://c")));
    }

    #[test]
    fn a_proxys_password_is_not_shown() {
        let shown = format!("{:?}", proxies(&[("HTTPS_PROXY", "http://user:sentinel@proxy")]));
        assert!(!shown.contains("sentinel"), "{shown}");
    }
}
