//! What the owner of a host has decided about its network: the section `[network]` of `/etc/lighter/config.toml`. The command.
//!
//! ```toml
//! [network]
//! publish = "open"                     # or "respect-host-firewall"
//! pools = ["10.10.0.0/16 by /24"]      # instead of the usual ones; IPv6 ranges too
//! ```

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Pool;

/// What the owner of a host has decided about its network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How published ports meet the host's own firewall.
    pub publish: Publish,
    /// Where subnets are looked for; a family without a pool has the usual ones.
    pub pools: Vec<Pool>,
}

/// How published ports meet the host's own firewall.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Publish {
    /// They are open to whoever reaches the address they are published on, whatever the firewall says of the host's own
    /// programs.
    #[default]
    Open,
    /// What comes from outside is a connection to a program of the host, and the firewall decides about it as such.
    RespectHostFirewall,
}

/// The whole file; other programs' sections are not ours to judge.
#[derive(Deserialize)]
struct File {
    #[serde(default)]
    network: Settings,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file is there and cannot be read.
    #[error("read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The text is not what is expected.
    #[error("{}:{line}: {message}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
}

impl Settings {
    /// Reads the file at `path`; an absent file means the defaults.
    pub fn load(path: &Path) -> Result<Settings, SettingsError> {
        match std::fs::read_to_string(path) {
            Ok(text) => Settings::parse(&text, path),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Settings::default()),
            Err(source) => Err(SettingsError::Read { path: path.to_owned(), source }),
        }
    }

    fn parse(text: &str, path: &Path) -> Result<Settings, SettingsError> {
        let file: Result<File, toml::de::Error> = toml::from_str(text);
        file.map(|file| file.network).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let line = text.get(..start).unwrap_or_default().matches('\n').count() + 1;
            SettingsError::Content { path: path.to_owned(), line, message: error.message().to_owned() }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Settings, String> {
        Settings::parse(text, Path::new("config.toml")).map_err(|error| error.to_string())
    }

    #[test]
    fn other_sections_are_left_alone_and_an_absent_one_is_the_default() {
        assert_eq!(parse("[registry.x]\ninsecure = true\n"), Ok(Settings::default()));
        let text =
            "[network]\npublish = 'respect-host-firewall'\npools = ['10.9.0.0/16 by /28', 'fd00:9::/48 by /64']\n";
        let settings = parse(text).unwrap();
        assert_eq!(settings.publish, Publish::RespectHostFirewall);
        assert_eq!(settings.pools, ["10.9.0.0/16 by /28", "fd00:9::/48 by /64"].map(|text| text.parse().unwrap()));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let wrong = parse("[network]\n\npublish = 'closed'\n").unwrap_err();
        assert!(wrong.starts_with("config.toml:3: ") && wrong.contains("closed"), "{wrong}");
        let unknown = parse("[network]\npublished = 'open'\n").unwrap_err();
        assert!(unknown.starts_with("config.toml:2: ") && unknown.contains("published"), "{unknown}");
        let pool = parse("[network]\npools = ['10.0.0.0/8']\n").unwrap_err();
        assert!(pool.contains("`10.0.0.0/8` is no pool"), "{pool}");
    }
}
