//! The proxies that containers and builds are told of: `proxies` of docker's `config.json`.
//!
//! Runs in the shell command's process. Not those by which lighter itself reaches registries, which the environment names.

use serde_json::Value;

/// Fields of an entry, and the variables that they become, in upper case and in lower case (docs.docker.com, "Use a proxy
/// server with the Docker CLI").
const FIELDS: [(&str, &str); 5] = [
    ("httpProxy", "HTTP_PROXY"),
    ("httpsProxy", "HTTPS_PROXY"),
    ("noProxy", "NO_PROXY"),
    ("ftpProxy", "FTP_PROXY"),
    ("allProxy", "ALL_PROXY"),
];

/// The address by which docker calls the engine of this host; an entry of that name comes before `default`.
const HERE: &str = "unix:///var/run/docker.sock";

/// Returns the variables that a file asks for, as names and values; none if it has no entry for this host.
///
/// # Errors
/// The text is no JSON.
pub(crate) fn variables(config: &str) -> Result<Vec<(String, String)>, serde_json::Error> {
    let config: Value = if config.trim().is_empty() { Value::Null } else { serde_json::from_str(config)? };
    let entry = [HERE, "default"].iter().find_map(|host| config["proxies"].get(host)).unwrap_or(&Value::Null);
    let set = FIELDS.iter().filter_map(|(field, name)| Some((*name, entry[*field].as_str()?)));
    let set = set.filter(|(_, value)| !value.is_empty());
    Ok(set
        .flat_map(|(name, value)| [name.to_owned(), name.to_lowercase()].map(|name| (name, value.to_owned())))
        .collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(config: &str) -> Vec<String> {
        variables(config).unwrap().into_iter().map(|(name, value)| format!("{name}={value}")).collect()
    }

    #[test]
    fn an_entry_becomes_variables_in_upper_and_lower_case() {
        let config =
            r#"{"proxies": {"default": {"httpProxy": "http://a:1", "noProxy": ".b,10.0.0.0/8", "ftpProxy": ""}}}"#;
        let expected =
            ["HTTP_PROXY=http://a:1", "http_proxy=http://a:1", "NO_PROXY=.b,10.0.0.0/8", "no_proxy=.b,10.0.0.0/8"];
        assert_eq!(found(config), expected);
        let all =
            r#"{"proxies": {"default": {"allProxy": "c", "httpsProxy": "d"}, "tcp://e:2375": {"httpProxy": "e"}}}"#;
        assert_eq!(found(all), ["HTTPS_PROXY=d", "https_proxy=d", "ALL_PROXY=c", "all_proxy=c"]);
        for none in
            ["", "{}", r#"{"proxies": {}}"#, r#"{"proxies": []}"#, r#"{"proxies": {"default": {"httpProxy": 1}}}"#]
        {
            assert_eq!(found(none), Vec::<String>::new(), "{none}");
        }
    }

    #[test]
    fn an_entry_for_this_hosts_engine_comes_before_the_default() {
        let config = r#"{"proxies": {"default": {"allProxy": "a"}, "unix:///var/run/docker.sock": {"ftpProxy": "b"}}}"#;
        assert_eq!(found(config), ["FTP_PROXY=b", "ftp_proxy=b"]);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,100}", fields in "[\\{\\[\":,a-z\\]\\}]{0,40}") {
            let _ = variables(&text);
            let _ = variables(&format!(r#"{{"proxies": {fields}}}"#));
        }
    }
}
