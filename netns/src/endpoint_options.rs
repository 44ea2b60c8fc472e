//! The options of one container on one network, under the names docker gave them. Pure.

use std::collections::BTreeMap;

use crate::options::{self, OptionError};

/// What stands for the name of the interface in the name of a kernel parameter.
const INTERFACE: &str = "IFNAME";
/// Where parameters of one interface are, below `net`.
const PLACES: [&str; 5] = ["ipv4/conf", "ipv4/neigh", "ipv6/conf", "ipv6/neigh", "mpls/conf"];

/// What the options of a container on a network mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointOptions {
    /// Name of the interface inside.
    pub interface: Option<String>,
    /// Kernel parameters of the interface.
    pub sysctls: Vec<InterfaceSysctl>,
}

/// A kernel parameter of an interface, and its value: a path below `/proc/sys` in which `IFNAME` stands for the interface.
pub type InterfaceSysctl = (String, String);

/// Reads the options of a container on a network.
///
/// Docker's reference of `network connect`, "Set sysctls for a container's interface": parameters stand in one option,
/// separated by commas, as `net.ipv4.conf.IFNAME.log_martians=1`. Fails for any other option, and for parameters that are not of
/// one interface.
pub fn read_endpoint_options(options: &BTreeMap<String, String>) -> Result<EndpointOptions, OptionError> {
    let mut read = EndpointOptions::default();
    for (name, value) in options {
        let wrong =
            |value: &str, expected| OptionError::Value { name: name.clone(), value: value.to_owned(), expected };
        match name.as_str() {
            "com.docker.network.endpoint.ifname" => {
                read.interface = Some(options::device(value).ok_or_else(|| wrong(value, "name of a device"))?);
            }
            "com.docker.network.endpoint.sysctls" => {
                let sysctl = |text: &str| {
                    sysctl(text)
                        .ok_or_else(|| wrong(text, "parameter of one interface, as net.ipv4.conf.IFNAME.forwarding=1"))
                };
                read.sysctls = value.split(',').map(sysctl).collect::<Result<_, _>>()?;
            }
            _ => return Err(OptionError::UnknownOfEndpoint { name: name.clone() }),
        }
    }
    Ok(read)
}

/// Reads one parameter with its value, neither of which can leave its place or its line.
fn sysctl(text: &str) -> Option<InterfaceSysctl> {
    let (name, value) = text.trim().split_once('=')?;
    let (place, parameter) = name.strip_prefix("net.")?.split_once(&format!(".{INTERFACE}."))?;
    let place = PLACES.into_iter().find(|known| place == known.replace('/', "."))?;
    let is_word = |text: &str| text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    let is_value = !value.is_empty() && value.chars().all(|c| c.is_ascii_graphic());
    (!parameter.is_empty() && is_word(parameter) && is_value)
        .then(|| (format!("net/{place}/{INTERFACE}/{parameter}"), value.to_owned()))
}

/// Returns a parameter as that of the interface with this name.
pub(crate) fn of_interface((path, value): &InterfaceSysctl, interface: &str) -> (String, String) {
    (path.replace(INTERFACE, interface), value.clone())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(name: &str, value: &str) -> Result<EndpointOptions, String> {
        let options = [(format!("com.docker.network.endpoint.{name}"), value.to_owned())].into();
        read_endpoint_options(&options).map_err(|error| error.to_string())
    }

    #[test]
    fn parameters_are_those_of_the_interface() {
        let read =
            read("sysctls", "net.ipv4.conf.IFNAME.log_martians=1,net.ipv6.neigh.IFNAME.ucast_solicit=2").unwrap();
        let all: Vec<_> = read.sysctls.iter().map(|sysctl| of_interface(sysctl, "eth0")).collect();
        let expected = [("net/ipv4/conf/eth0/log_martians", "1"), ("net/ipv6/neigh/eth0/ucast_solicit", "2")];
        assert_eq!(all, expected.map(|(path, value)| (path.to_owned(), value.to_owned())));
    }

    #[test]
    fn what_is_not_of_one_interface_is_refused_by_name() {
        for wrong in [
            "",
            "net.ipv4.conf.IFNAME.forwarding",
            "net.ipv4.conf.IFNAME.forwarding=",
            "net.ipv4.conf.eth0.forwarding=1",
            "net.ipv4.ip_forward=1",
            "net.ipv4.conf.IFNAME.../../x=1",
            "net.ipv4.conf/all.IFNAME.x=1",
            "kernel.IFNAME.x=1",
        ] {
            let error = read("sysctls", wrong).unwrap_err();
            assert!(error.contains(&format!("`{wrong}` is no parameter of one interface")), "{error}");
        }
        assert!(read("ifname", "a/b").is_err());
        let error = read("egress", "1").unwrap_err();
        assert_eq!(error, "option `com.docker.network.endpoint.egress` of a container on a network is not supported");
    }

    proptest! {
        #[test]
        fn no_text_names_a_place_beyond_the_interfaces_own(text in "(net\\.|ipv[46]|\\.|/|conf|IFNAME|=|,|[a-z1]){0,14}") {
            for sysctl in read("sysctls", &text).map(|read| read.sysctls).unwrap_or_default() {
                let (path, _) = of_interface(&sysctl, "eth0");
                prop_assert_eq!(path.matches('/').count(), 4);
                prop_assert!(path.starts_with("net/") && path.contains("/eth0/") && !path.contains('.'), "{}", path);
            }
        }
    }
}
