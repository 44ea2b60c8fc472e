//! The registry part of `/etc/lighter/config.toml`: mirrors, and which registries may be spoken to without TLS.
//!
//! Runs in the shell command's process. The file is the administrator's; nothing here writes it.
//!
//! ```toml
//! [registry."docker.io"]
//! mirrors = ["http://127.0.0.1:5000"]   # tried in order, then the registry itself
//! insecure = false                       # true allows plain HTTP to this registry
//! ```

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// What the administrator says about registries, keyed by their domain as references spell it (`docker.io`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegistryConfig {
    registries: BTreeMap<String, RegistrySettings>,
}

/// The settings of one registry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RegistrySettings {
    /// Base URLs to try before the registry itself, in order.
    pub(super) mirrors: Vec<String>,
    /// Whether plain HTTP to this registry is allowed.
    pub(super) insecure: bool,
}

/// The whole file; other programs' sections are not ours to judge.
#[derive(Deserialize)]
struct File {
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
        }
        Ok(RegistryConfig { registries: file.registry })
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
}
