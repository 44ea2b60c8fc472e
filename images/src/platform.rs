//! Platforms, and the choice of one image from an index that has several.
//!
//! Runs in the shell command's process; pure.

use std::fmt;
use std::str::FromStr;

use oci_spec::image::ImageConfiguration;

/// An operating system and a CPU, in the words of Go's GOOS and GOARCH (OCI image-spec, image-index.md).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Platform {
    /// Operating system, `linux`.
    pub os: String,
    /// CPU architecture, such as `amd64`, `arm64`, `riscv64`.
    pub architecture: String,
    /// CPU variant, such as `v7` of `arm` or `v3` of `amd64`; `None` means the architecture's usual one.
    pub variant: Option<String>,
}

/// Why a text is not a platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("platform `{0}` is not of the form `os/architecture[/variant]`")]
pub struct PlatformError(String);

impl Platform {
    /// Returns the platform this program was built for, which is the one whose images run here.
    pub fn host() -> Platform {
        let (architecture, variant) = match std::env::consts::ARCH {
            "x86_64" => ("amd64", None),
            "x86" => ("386", None),
            "aarch64" => ("arm64", None),
            "arm" => ("arm", Some("v7")),
            "powerpc64" if cfg!(target_endian = "little") => ("ppc64le", None),
            "loongarch64" => ("loong64", None),
            other => (other, None),
        };
        Platform { os: "linux".to_owned(), architecture: architecture.to_owned(), variant: variant.map(str::to_owned) }
    }

    /// Returns the platform that a configuration says it is for.
    pub(crate) fn of(config: &ImageConfiguration) -> Platform {
        Platform {
            os: config.os().to_string(),
            architecture: config.architecture().to_string(),
            variant: config.variant().clone().filter(|variant| !variant.is_empty()),
        }
    }

    /// Says how well an image built for `offered` runs here: the lowest number is the best, `None` is not at all.
    ///
    /// A variant may be served by a lower one of the same architecture (an `arm/v7` CPU runs `v6` and `v5` code), never
    /// by a higher one.
    pub(crate) fn accepts(&self, offered: &Platform) -> Option<u32> {
        if self.os != offered.os || self.architecture != offered.architecture {
            return None;
        }
        self.level().checked_sub(offered.level())
    }

    /// The number in the variant, or the one that the architecture means without a variant.
    fn level(&self) -> u32 {
        let usual = match self.architecture.as_str() {
            "arm64" => 8,
            "arm" => 7,
            "amd64" => 1,
            _ => 0,
        };
        let named = self.variant.as_deref().and_then(|variant| variant.strip_prefix('v')).map(str::parse);
        named.and_then(Result::ok).unwrap_or(usual)
    }
}

/// Words that may stand alone for an operating system, on this host's architecture.
const SYSTEMS: [&str; 4] = ["linux", "windows", "darwin", "freebsd"];

/// Words that may stand without an operating system, which is Linux then.
const ARCHITECTURES: [&str; 10] =
    ["amd64", "arm64", "arm", "386", "ppc64le", "riscv64", "s390x", "loong64", "mips64", "mips64le"];

/// Reads `os/architecture[/variant]`, and as containerd does `os` or `architecture[/variant]` alone.
impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Platform, PlatformError> {
        let lower = text.to_ascii_lowercase();
        let mut parts: Vec<&str> = lower.split('/').collect();
        let host = Platform::host();
        if ARCHITECTURES.contains(&canonical_architecture(parts[0]).0) {
            parts.insert(0, "linux");
        } else if parts.len() == 1 && SYSTEMS.contains(&parts[0]) {
            parts.push(&host.architecture);
        }
        let is_word =
            |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !(2..=3).contains(&parts.len()) || !parts.iter().all(is_word) {
            return Err(PlatformError(text.to_owned()));
        }
        let (architecture, implied) = canonical_architecture(parts[1]);
        let variant = parts.get(2).copied().or(implied).map(str::to_owned);
        Ok(Platform { os: parts[0].to_owned(), architecture: architecture.to_owned(), variant })
    }
}

/// Translates what people call an architecture (`uname -m`, Debian) into Go's word, and the variant it implies.
fn canonical_architecture(name: &str) -> (&str, Option<&str>) {
    match name {
        "x86_64" => ("amd64", None),
        "aarch64" => ("arm64", None),
        "i386" | "i686" => ("386", None),
        "armhf" => ("arm", Some("v7")),
        "armel" => ("arm", Some("v6")),
        other => (other, None),
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(formatter, "/{variant}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(text: &str) -> Platform {
        text.parse().unwrap()
    }

    #[test]
    fn a_platform_reads_back_as_it_was_written() {
        for text in ["linux/amd64", "linux/arm64/v8", "windows/amd64"] {
            assert_eq!(platform(text).to_string(), text);
        }
        assert_eq!(platform("Linux/x86_64").to_string(), "linux/amd64");
        assert_eq!(platform("linux/armhf").to_string(), "linux/arm/v7");
        assert_eq!(platform("aarch64"), platform("linux/arm64"));
        assert_eq!(platform("arm/v7").to_string(), "linux/arm/v7");
        assert_eq!(platform("linux"), Platform::host());
        for text in ["", "lynux", "arm/v7/x", "linux/", "/amd64", "linux/amd64/v2/x", "linux/a b"] {
            assert!(text.parse::<Platform>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_lower_variant_serves_and_a_higher_one_does_not() {
        assert_eq!(platform("linux/arm64").accepts(&platform("linux/arm64/v8")), Some(0));
        assert_eq!(platform("linux/arm/v7").accepts(&platform("linux/arm/v6")), Some(1));
        assert_eq!(platform("linux/arm/v6").accepts(&platform("linux/arm/v7")), None);
        assert_eq!(platform("linux/amd64").accepts(&platform("linux/amd64/v3")), None);
        assert_eq!(platform("linux/amd64").accepts(&platform("linux/arm64")), None);
    }
}
