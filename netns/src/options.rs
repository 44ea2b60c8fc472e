//! The options of networks, under the names docker gave them. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::Driver;

/// Longest name of a device in bytes (`IFNAMSIZ` less the closing zero).
const LONGEST_DEVICE: usize = 15;

/// Why options cannot be had.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum OptionError {
    /// Nobody here knows it.
    #[error("option `{name}` of driver `{driver}` is not supported", driver = driver.word())]
    Unknown {
        /// The option.
        name: String,
        /// The driver.
        driver: Driver,
    },
    /// No container can be put on a network with it.
    #[error("option `{name}` of a container on a network is not supported")]
    UnknownOfEndpoint {
        /// The option.
        name: String,
    },
    /// It cannot have that value.
    #[error("option `{name}`: `{value}` is no {expected}")]
    Value {
        /// The option.
        name: String,
        /// Its value.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// The driver cannot do without it.
    #[error("driver `{driver}` needs the option `{name}`", driver = driver.word())]
    Missing {
        /// The option.
        name: &'static str,
        /// The driver.
        driver: Driver,
    },
}

/// What the options of a network mean.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Features {
    /// Name of the bridge, or of the device containers are put on.
    pub(crate) device: Option<String>,
    pub(crate) mtu: Option<u32>,
    /// Containers do not reach each other.
    pub(crate) keeps_apart: bool,
    /// Containers leave with their own addresses: somebody routes them.
    pub(crate) is_routed: bool,
    /// Address of the host on which ports without one are published.
    pub(crate) host_address: Option<IpAddr>,
    /// Beginning of the names of interfaces inside.
    pub(crate) interface_prefix: Option<String>,
    /// How macvlan and ipvlan treat their neighbours, in the kernel's numbers (linux/if_link.h).
    pub(crate) mode: Option<u16>,
}

/// Tells whether a network of this driver can have one option.
pub fn check_option(driver: Driver, name: &str, value: &str) -> Result<(), OptionError> {
    apply(driver, name, value, &mut Features::default())
}

/// Reads the options of a network.
pub(crate) fn read(driver: Driver, options: &BTreeMap<String, String>) -> Result<Features, OptionError> {
    let mut features = Features::default();
    for (name, value) in options {
        apply(driver, name, value, &mut features)?;
    }
    if driver != Driver::Bridge && features.device.is_none() {
        return Err(OptionError::Missing { name: "parent", driver });
    }
    Ok(features)
}

fn apply(driver: Driver, name: &str, value: &str, features: &mut Features) -> Result<(), OptionError> {
    let wrong = |expected| OptionError::Value { name: name.to_owned(), value: value.to_owned(), expected };
    let flag = || match value {
        // as Go reads them
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(wrong("`true` or `false`")),
    };
    let device = || device(value).map(Some).ok_or_else(|| wrong("name of a device"));
    match (driver, name) {
        (_, "com.docker.network.driver.mtu") => {
            features.mtu = Some(value.parse().ok().filter(|mtu| *mtu > 0).ok_or_else(|| wrong("number of bytes"))?);
        }
        (_, "com.docker.network.container_iface_prefix") => features.interface_prefix = device()?,
        (Driver::Bridge, "com.docker.network.bridge.name") => features.device = device()?,
        (Driver::Bridge, "com.docker.network.bridge.enable_icc") => features.keeps_apart = !flag()?,
        (Driver::Bridge, "com.docker.network.bridge.enable_ip_masquerade") => features.is_routed = !flag()?,
        (Driver::Bridge, "com.docker.network.bridge.host_binding_ipv4") => {
            features.host_address = Some(value.parse().map_err(|_| wrong("address"))?);
        }
        (Driver::Macvlan | Driver::Ipvlan, "parent") => features.device = device()?,
        (Driver::Macvlan, "macvlan_mode") => features.mode = Some(macvlan_mode(value).ok_or_else(|| wrong("mode"))?),
        (Driver::Ipvlan, "ipvlan_mode") => features.mode = Some(ipvlan_mode(value).ok_or_else(|| wrong("mode"))?),
        _ => return Err(OptionError::Unknown { name: name.to_owned(), driver }),
    }
    Ok(())
}

/// Returns a name that a device can have: the kernel's own rule (`dev_valid_name`), less what a shell would take apart.
pub(crate) fn device(name: &str) -> Option<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let is_one = !name.is_empty() && name.len() <= LONGEST_DEVICE && name.chars().all(allowed);
    (is_one && !name.starts_with(['.', '-'])).then(|| name.to_owned())
}

/// `MACVLAN_MODE_*`
fn macvlan_mode(word: &str) -> Option<u16> {
    match word {
        "private" => Some(1),
        "vepa" => Some(2),
        "bridge" => Some(4),
        "passthru" => Some(8),
        _ => None,
    }
}

/// `IPVLAN_MODE_*`
fn ipvlan_mode(word: &str) -> Option<u16> {
    match word {
        "l2" => Some(0),
        "l3" => Some(1),
        "l3s" => Some(2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(driver: Driver, options: &[(&str, &str)]) -> Result<Features, OptionError> {
        read(driver, &options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn the_options_people_use_are_understood() {
        let read = features(
            Driver::Bridge,
            &[
                ("com.docker.network.bridge.enable_icc", "false"),
                ("com.docker.network.bridge.enable_ip_masquerade", "false"),
                ("com.docker.network.bridge.host_binding_ipv4", "127.0.0.1"),
                ("com.docker.network.bridge.name", "br-lab"),
                ("com.docker.network.driver.mtu", "1400"),
            ],
        );
        let expected = Features {
            device: Some("br-lab".into()),
            mtu: Some(1400),
            keeps_apart: true,
            is_routed: true,
            host_address: Some("127.0.0.1".parse().unwrap()),
            ..Features::default()
        };
        assert_eq!(read, Ok(expected));
    }

    #[test]
    fn other_options_are_refused_by_name() {
        let error = features(Driver::Bridge, &[("com.docker.network.bridge.inhibit_ipv4", "true")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "option `com.docker.network.bridge.inhibit_ipv4` of driver `bridge` is not supported"
        );
        let error = features(Driver::Bridge, &[("com.docker.network.bridge.name", "a/b")]).unwrap_err();
        assert_eq!(error.to_string(), "option `com.docker.network.bridge.name`: `a/b` is no name of a device");
    }

    #[test]
    fn macvlan_needs_a_device_to_sit_on() {
        let error = features(Driver::Macvlan, &[]).unwrap_err();
        assert_eq!(error.to_string(), "driver `macvlan` needs the option `parent`");
        assert_eq!(features(Driver::Macvlan, &[("parent", "eth0.7"), ("macvlan_mode", "vepa")]).unwrap().mode, Some(2));
    }
}
