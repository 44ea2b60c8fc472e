//! Where a container's output goes and how much of it is kept: Docker's log drivers and their options.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ContainerSpec;

/// Who takes the output. Whatever takes it, `logs` reads a file of ours, but for [`LogDriver::None`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogDriver {
    /// Files, a JSON object a line.
    #[default]
    JsonFile,
    /// The same files, rotated ones compressed.
    Local,
    /// systemd's journal.
    Journald,
    /// A syslog server, on this host or another.
    Syslog,
    /// Nobody.
    None,
}

impl LogDriver {
    /// Returns Docker's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::JsonFile => "json-file",
            Self::Local => "local",
            Self::Journald => "journald",
            Self::Syslog => "syslog",
            Self::None => "none",
        }
    }
}

/// The transport to a syslog server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SyslogAddress {
    /// A datagram socket: `/dev/log`.
    Unix(String),
    /// `host:port`.
    Udp(String),
    /// `host:port`.
    Tcp(String),
}

/// How a syslog message is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SyslogFormat {
    /// `<PRI>Mmm dd hh:mm:ss TAG[PID]: text`.
    #[default]
    Rfc3164,
    /// `<PRI>1 TIME HOST TAG PID TAG - text`, seconds.
    Rfc5424,
    /// As [`SyslogFormat::Rfc5424`], microseconds.
    Rfc5424Micro,
}

/// Options of the driver `syslog`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyslogOptions {
    /// Where the server is.
    pub address: SyslogAddress,
    /// Number of the facility, 0 to 23 (RFC 5424, table 1).
    pub facility: u8,
    /// How a message is written.
    pub format: SyslogFormat,
}

impl Default for SyslogOptions {
    /// This host's server, facility `daemon`.
    fn default() -> Self {
        Self { address: SyslogAddress::Unix("/dev/log".to_owned()), facility: 3, format: SyslogFormat::default() }
    }
}

/// Where the output goes and how much of it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogOptions {
    /// Who takes it.
    #[serde(default)]
    pub driver: LogDriver,
    /// A log file is rotated when it has reached this many bytes; `u64::MAX` is never.
    pub max_size: u64,
    /// How many files are kept, the current one included; at least 1.
    pub max_files: u32,
    /// Rotated files are compressed.
    #[serde(default)]
    pub compress: bool,
    /// The name that other programs see, a template of `{{.Name}}`, `{{.ID}}` …; `None` = the short id.
    #[serde(default)]
    pub tag: Option<String>,
    /// Labels whose values `logs --details` shows.
    #[serde(default)]
    pub labels: Vec<String>,
    /// Variables whose values `logs --details` shows.
    #[serde(default)]
    pub env: Vec<String>,
    /// For [`LogDriver::Syslog`].
    #[serde(default)]
    pub syslog: SyslogOptions,
}

impl Default for LogOptions {
    /// 3 files of 10 MiB: unlike Docker's unbounded default, a chatty container cannot fill the disk.
    fn default() -> Self {
        Self {
            driver: LogDriver::default(),
            max_size: 10 << 20,
            max_files: 3,
            compress: false,
            tag: None,
            labels: Vec::new(),
            env: Vec::new(),
            syslog: SyslogOptions::default(),
        }
    }
}

/// A log driver or an option of one that lighter does not have, or a value that it does not take.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LogOptionError {
    /// No such driver.
    #[error("log driver `{0}` is not supported: use json-file, local, journald, syslog or none")]
    Driver(String),
    /// The driver has no such option.
    #[error("log driver `{driver}` has no option `{option}` that lighter supports")]
    Option {
        /// The driver.
        driver: &'static str,
        /// The option.
        option: String,
    },
    /// Not a value of the option.
    #[error("log option `{option}` `{value}`: use {expected}")]
    Value {
        /// The option.
        option: String,
        /// What was written.
        value: String,
        /// What can be.
        expected: &'static str,
    },
}

impl LogOptions {
    /// Returns whether `logs` has something to read.
    pub fn is_kept(&self) -> bool {
        self.driver != LogDriver::None
    }

    /// Reads driver and options as Docker spells them; `None` is the default driver.
    pub fn parse(driver: Option<&str>, options: &BTreeMap<String, String>) -> Result<Self, LogOptionError> {
        let driver = match driver {
            None | Some("" | "json-file") => LogDriver::JsonFile,
            Some("local") => LogDriver::Local,
            Some("journald") => LogDriver::Journald,
            Some("syslog") => LogDriver::Syslog,
            Some("none") => LogDriver::None,
            Some(other) => return Err(LogOptionError::Driver(other.to_owned())),
        };
        let mut log = Self { driver, ..Self::default() };
        if driver == LogDriver::Local {
            log = Self { max_size: 20 << 20, max_files: 5, compress: true, ..log }; // Docker's numbers
        }
        options.iter().try_for_each(|(option, value)| log.set(option, value))?;
        Ok(log)
    }

    fn set(&mut self, option: &str, value: &str) -> Result<(), LogOptionError> {
        let wrong = |expected| LogOptionError::Value { option: option.to_owned(), value: value.to_owned(), expected };
        let is_file = matches!(self.driver, LogDriver::JsonFile | LogDriver::Local);
        let is_sent = matches!(self.driver, LogDriver::Journald | LogDriver::Syslog);
        match option {
            "mode" if value == "blocking" => {}
            "mode" => return Err(wrong("blocking")),
            "max-size" if is_file => self.max_size = size(value).ok_or_else(|| wrong("a size like 10m, or -1"))?,
            "max-file" if is_file => {
                let files = value.parse().ok().filter(|files| *files > 0);
                self.max_files = files.ok_or_else(|| wrong("a number from 1"))?;
            }
            "compress" if is_file => self.compress = value.parse().map_err(|_| wrong("true or false"))?,
            "labels" if self.driver == LogDriver::JsonFile => self.labels = names(value),
            "env" if self.driver == LogDriver::JsonFile => self.env = names(value),
            "tag" if is_sent => self.tag = Some(template(value).ok_or_else(|| wrong(TAG_FIELDS))?),
            "syslog-address" if self.driver == LogDriver::Syslog => {
                self.syslog.address =
                    address(value).ok_or_else(|| wrong("unix://, udp:// or tcp:// and an address"))?;
            }
            "syslog-facility" if self.driver == LogDriver::Syslog => {
                self.syslog.facility = facility(value).ok_or_else(|| wrong("a facility like daemon, or 0 to 23"))?;
            }
            "syslog-format" if self.driver == LogDriver::Syslog => {
                self.syslog.format = match value {
                    "rfc3164" => SyslogFormat::Rfc3164,
                    "rfc5424" => SyslogFormat::Rfc5424,
                    "rfc5424micro" => SyslogFormat::Rfc5424Micro,
                    _ => return Err(wrong("rfc3164, rfc5424 or rfc5424micro")),
                };
            }
            _ => return Err(LogOptionError::Option { driver: self.driver.word(), option: option.to_owned() }),
        }
        Ok(())
    }

    /// Returns what a container says about its lines, sorted: the labels and variables that it has of those that were named.
    pub fn details(&self, spec: &ContainerSpec) -> BTreeMap<String, String> {
        let labels = self.labels.iter().filter_map(|name| Some((name.clone(), spec.labels.get(name)?.clone())));
        let variables = spec.env.iter().filter_map(|variable| variable.split_once('='));
        let variables = variables.filter(|(name, _)| self.env.iter().any(|wanted| wanted == name));
        labels.chain(variables.map(|(name, value)| (name.to_owned(), value.to_owned()))).collect()
    }

    /// Returns the name that other programs see for a container.
    pub(crate) fn tag_of(&self, id: &str, name: &str, image: &str) -> String {
        let Some(template) = &self.tag else { return crate::id::short(id).to_owned() };
        FIELDS.iter().fold(template.clone(), |text, field| {
            let value = match *field {
                "{{.ID}}" => crate::id::short(id),
                "{{.FullID}}" => id,
                "{{.Name}}" => name,
                _ => image,
            };
            text.replace(field, value)
        })
    }
}

/// The fields of a tag.
const FIELDS: [&str; 4] = ["{{.ID}}", "{{.FullID}}", "{{.Name}}", "{{.ImageName}}"];
const TAG_FIELDS: &str = "a text with {{.ID}}, {{.FullID}}, {{.Name}} or {{.ImageName}}";

/// Returns the template with its fields written in one way; `None` if it has others.
fn template(text: &str) -> Option<String> {
    let text = text.replace("{{ ", "{{").replace(" }}", "}}");
    let rest = FIELDS.iter().fold(text.clone(), |rest, field| rest.replace(field, ""));
    (!rest.contains("{{")).then_some(text)
}

fn names(text: &str) -> Vec<String> {
    text.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// Reads `10m`, `512k`, `-1` (no limit), in units of 1024.
fn size(text: &str) -> Option<u64> {
    if text == "-1" {
        return Some(u64::MAX);
    }
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let shift = match text[digits.len()..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift).filter(|size| *size > 0)
}

fn address(text: &str) -> Option<SyslogAddress> {
    let with_port = |address: &str| match address.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => address.to_owned(),
        _ => format!("{address}:514"),
    };
    match text.split_once("://")? {
        ("unix" | "unixgram", path) if path.starts_with('/') => Some(SyslogAddress::Unix(path.to_owned())),
        ("udp", address) if !address.is_empty() => Some(SyslogAddress::Udp(with_port(address))),
        ("tcp", address) if !address.is_empty() => Some(SyslogAddress::Tcp(with_port(address))),
        _ => None,
    }
}

/// Returns the number of a facility by name (syslog(3)) or number.
fn facility(text: &str) -> Option<u8> {
    const NAMES: [&str; 12] =
        ["kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"];
    let by_name = NAMES.iter().position(|name| *name == text).and_then(|index| u8::try_from(index).ok());
    let local = || text.strip_prefix("local")?.parse().ok().filter(|number: &u8| *number < 8).map(|number| number + 16);
    by_name.or_else(local).or_else(|| text.parse().ok().filter(|number| *number < 24))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::ImageSource;

    fn parse(driver: &str, options: &[(&str, &str)]) -> Result<LogOptions, LogOptionError> {
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        LogOptions::parse(Some(driver), &options)
    }

    #[test]
    fn options_are_read_as_docker_spells_them() {
        let log = parse("json-file", &[("max-size", "1m"), ("max-file", "2"), ("compress", "true")]).unwrap();
        assert_eq!((log.max_size, log.max_files, log.compress), (1 << 20, 2, true));
        assert_eq!(parse("json-file", &[("max-size", "-1")]).unwrap().max_size, u64::MAX);
        let log = parse("syslog", &[("syslog-address", "udp://10.0.0.1"), ("syslog-facility", "local3")]).unwrap();
        assert_eq!(log.syslog.address, SyslogAddress::Udp("10.0.0.1:514".to_owned()));
        assert_eq!(log.syslog.facility, 19);
        assert!(!parse("none", &[]).unwrap().is_kept());
    }

    #[test]
    fn details_are_the_named_labels_and_variables_that_there_are() {
        let log = parse("json-file", &[("labels", "a,absent"), ("env", "LEVEL,,ABSENT")]).unwrap();
        let image = ImageSource { reference: "busybox:1".to_owned(), id: "sha256:0".to_owned() };
        let mut spec = ContainerSpec::new("x".to_owned(), image, Vec::new());
        spec.labels = [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())].into();
        spec.env = vec!["LEVEL=low=er".to_owned(), "PATH=/".to_owned()];
        let details: Vec<_> = log.details(&spec).into_iter().collect();
        assert_eq!(details, [("LEVEL".to_owned(), "low=er".to_owned()), ("a".to_owned(), "1".to_owned())]);
    }

    #[test]
    fn what_is_not_supported_is_refused_by_name() {
        assert_eq!(parse("fluentd", &[]), Err(LogOptionError::Driver("fluentd".to_owned())));
        for (driver, option, value) in [
            ("json-file", "labels-regex", "a"),
            ("local", "labels", "a"),
            ("json-file", "max-size", "big"),
            ("json-file", "max-file", "0"),
            ("none", "max-size", "1m"),
            ("journald", "tag", "{{.DaemonName}}"),
            ("syslog", "syslog-address", "tcp+tls://x"),
        ] {
            let error = parse(driver, &[(option, value)]).unwrap_err().to_string();
            assert!(error.contains(option), "{error}");
        }
    }

    #[test]
    fn a_tag_is_filled_in() {
        let log = parse("syslog", &[("tag", "{{ .ImageName }}/{{.Name}}")]).unwrap();
        assert_eq!(log.tag_of(&"a".repeat(64), "web", "nginx"), "nginx/web");
        assert_eq!(parse("syslog", &[]).unwrap().tag_of(&"a".repeat(64), "web", "nginx"), "a".repeat(12));
    }
}
