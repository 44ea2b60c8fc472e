//! The registry part of `/etc/lighter/config.toml`: mirrors, certificates, and which registries need no TLS.
//!
//! Runs in the shell command's process. The file is the administrator's; nothing here writes it.
//!
//! ```toml
//! max_concurrent_downloads = 3            # layers fetched at once, of all images together
//! max_concurrent_uploads = 5
//!
//! [registry."docker.io"]
//! mirrors = ["http://127.0.0.1:5000"]     # tried in order, then the registry itself
//!
//! [registry."registry.lan:5000"]
//! insecure = false                        # true allows plain HTTP, and TLS with a certificate that nobody vouches for
//! ca = "/etc/ssl/lan.pem"                 # trusted for this registry, beside the host's own
//! client_cert = "/etc/ssl/me.pem"
//! client_key = "/etc/ssl/me.key"
//! token_servers = ["login.example.org"]   # may be given this registry's password, though of another domain
//! ```

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// What the administrator says about registries, keyed by their domain as references spell it (`docker.io`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegistryConfig {
    /// Layers fetched at once, if the file says.
    pub max_concurrent_downloads: Option<usize>,
    /// Layers sent at once, if the file says.
    pub max_concurrent_uploads: Option<usize>,
    registries: BTreeMap<String, RegistrySettings>,
    /// Directories in Docker's `certs.d` form.
    pub(super) certificate_directories: Vec<PathBuf>,
}

/// The settings of one registry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RegistrySettings {
    /// Base URLs to try before the registry itself, in order.
    pub(super) mirrors: Vec<String>,
    /// Whether plain HTTP to this registry is allowed, and TLS with any certificate.
    pub(super) insecure: bool,
    /// Certificates to trust, PEM.
    pub(super) ca: Option<PathBuf>,
    /// Certificates to show, PEM; `client_key` goes with it.
    pub(super) client_cert: Option<PathBuf>,
    /// Their private key, PEM.
    pub(super) client_key: Option<PathBuf>,
    /// Hosts of token servers that may see this registry's password.
    pub(super) token_servers: Vec<String>,
}

/// The whole file; other programs' sections are not ours to judge.
#[derive(Deserialize)]
struct File {
    max_concurrent_downloads: Option<usize>,
    max_concurrent_uploads: Option<usize>,
    #[serde(default)]
    registry: BTreeMap<String, RegistrySettings>,
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is there and cannot be read.
    #[error("read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The text is not the TOML we expect.
    #[error("{}:{line}:{column}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What the TOML reader says.
        message: String,
    },
    /// A mirror is not a URL that can be used.
    #[error("{}: mirror `{mirror}` of registry `{registry}` is not of the form `http[s]://host[:port]`", path.display())]
    Mirror {
        /// The file.
        path: PathBuf,
        /// The registry whose mirror it is.
        registry: String,
        /// The text given.
        mirror: String,
    },
    /// A certificate without its key, or a key without its certificate.
    #[error("{}: registry `{registry}` needs both `client_cert` and `client_key`, or neither", path.display())]
    HalfIdentity {
        /// The file.
        path: PathBuf,
        /// The registry.
        registry: String,
    },
}

impl RegistryConfig {
    /// Reads the file at `path`; an absent file means the defaults.
    pub fn load(path: &Path) -> Result<RegistryConfig, ConfigError> {
        match std::fs::read_to_string(path) {
            Ok(text) => RegistryConfig::parse(&text, path),
            Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(RegistryConfig::default()),
            Err(source) => Err(ConfigError::Read { path: path.to_owned(), source }),
        }
    }

    /// Reads `text`; `path` only names it in errors.
    pub fn parse(text: &str, path: &Path) -> Result<RegistryConfig, ConfigError> {
        let file: File = toml::from_str(text).map_err(|error| syntax(text, path, &error))?;
        for (registry, settings) in &file.registry {
            if let Some(mirror) = settings.mirrors.iter().find(|mirror| !is_base_url(mirror)) {
                let (registry, mirror) = (registry.clone(), mirror.clone());
                return Err(ConfigError::Mirror { path: path.to_owned(), registry, mirror });
            }
            if settings.client_cert.is_some() != settings.client_key.is_some() {
                return Err(ConfigError::HalfIdentity { path: path.to_owned(), registry: registry.clone() });
            }
        }
        Ok(RegistryConfig {
            max_concurrent_downloads: file.max_concurrent_downloads,
            max_concurrent_uploads: file.max_concurrent_uploads,
            registries: file.registry,
            certificate_directories: Vec::new(),
        })
    }

    /// Adds directories in the form of Docker's `/etc/docker/certs.d`: `HOST[:PORT]/*.crt` are trusted for that
    /// registry, `*.cert` with a `*.key` of the same name is shown to it.
    pub fn with_certificate_directories(self, directories: Vec<PathBuf>) -> RegistryConfig {
        RegistryConfig { certificate_directories: directories, ..self }
    }

    /// Returns the settings of `domain`; the defaults if it has none.
    pub(super) fn of(&self, domain: &str) -> RegistrySettings {
        self.registries.get(domain).cloned().unwrap_or_default()
    }
}

fn is_base_url(text: &str) -> bool {
    let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    host.map(|host| host.trim_end_matches('/')).is_some_and(|host| {
        !host.is_empty() && !host.contains(['@', '?', '#', '\\']) && !host.contains(char::is_whitespace)
    })
}

fn syntax(text: &str, path: &Path, error: &toml::de::Error) -> ConfigError {
    let (line, column) = error.span().map_or((1, 1), |span| position(text, span.start));
    ConfigError::Syntax { path: path.to_owned(), line, column, message: error.message().to_owned() }
}

/// Turns a byte offset into a line and a column, both from 1.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<RegistryConfig, ConfigError> {
        RegistryConfig::parse(text, Path::new("config.toml"))
    }

    #[test]
    fn mirrors_keep_their_order_and_other_sections_are_left_alone() {
        let text = "[network]\npool = '10.0.0.0/8'\n[registry.'docker.io']\nmirrors = ['http://b:1', 'https://a']\n";
        let config = parse(text).unwrap();
        assert_eq!(config.of("docker.io").mirrors, ["http://b:1", "https://a"]);
        assert_eq!(config.of("ghcr.io"), RegistrySettings::default());
    }

    #[test]
    fn an_absent_file_is_the_default_and_a_wrong_one_names_line_and_column() {
        let absent = RegistryConfig::load(Path::new("/nonexistent/config.toml")).unwrap();
        assert_eq!(absent, RegistryConfig::default());
        let error = parse("[registry.'docker.io']\nmirors = []\n").unwrap_err().to_string();
        assert!(error.starts_with("config.toml:2:1: unknown field `mirors`"), "{error}");
        let error = parse("[registry.'docker.io']\ninsecure = 'yes'\n").unwrap_err().to_string();
        assert!(error.starts_with("config.toml:2:12: "), "{error}");
    }

    #[test]
    fn a_mirror_without_a_scheme_or_with_a_password_is_refused() {
        for mirror in ["127.0.0.1:5000", "ftp://a", "http://", "http://user:word@a", "http://a b"] {
            assert!(matches!(parse(&format!("[registry.x]\nmirrors = ['{mirror}']")), Err(ConfigError::Mirror { .. })));
        }
    }

    #[test]
    fn a_client_certificate_needs_its_key() {
        let half = parse("[registry.x]\nclient_cert = '/a'");
        assert!(matches!(half, Err(ConfigError::HalfIdentity { registry, .. }) if registry == "x"));
        assert!(parse("max_concurrent_downloads = 7\n[registry.x]\nclient_cert = '/a'\nclient_key = '/b'").is_ok());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused_with_a_place_in_it(text in "[\\[\\]a-z.='\"\n #]{0,120}") {
            if let Err(ConfigError::Syntax { line, column, .. }) = parse(&text) {
                proptest::prop_assert!(line >= 1 && column >= 1);
            }
        }
    }
}
