//! What a network is: the values a caller gives and the record kept of it. Any process; no effects here.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::options::Features;

/// What a caller wants of a new network; everything left out is chosen by [`crate::Host::create_network`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkSpec {
    /// Name, unique on this host: a letter or digit, then letters, digits, `_`, `.` and `-`.
    pub name: String,
    /// How containers are connected.
    pub driver: Driver,
    /// Which addresses containers get.
    pub families: Families,
    /// Addresses, at most one range of each family; a family without one gets a free subnet of the pools.
    pub ranges: Vec<RangeSpec>,
    /// Whether containers on it are cut off from everything but each other.
    pub internal: bool,
    /// Largest packet in bytes of the bridge and its veths; 1500 when absent.
    pub mtu: Option<u32>,
    /// Labels, kept as they are.
    pub labels: BTreeMap<String, String>,
    /// Options of the driver under docker's names; one that is not known is refused.
    pub options: BTreeMap<String, String>,
}

/// How the containers of a network are connected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Driver {
    /// By a bridge of this host, which translates addresses for them.
    #[default]
    Bridge,
    /// Each as a machine of its own, with its own link-layer address, on the network of a device of this host.
    Macvlan,
    /// The same with the device's link-layer address.
    Ipvlan,
}

impl Driver {
    /// Returns docker's word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Driver::Bridge => "bridge",
            Driver::Macvlan => "macvlan",
            Driver::Ipvlan => "ipvlan",
        }
    }
}

/// Which addresses the containers of a network get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Families {
    /// IPv4.
    #[default]
    Ipv4,
    /// IPv6.
    Ipv6,
    /// Both.
    Both,
}

impl Families {
    /// Returns the families of which at least one is asked for; `None` for neither.
    #[must_use]
    pub fn of(ipv4: bool, ipv6: bool) -> Option<Families> {
        match (ipv4, ipv6) {
            (true, false) => Some(Families::Ipv4),
            (false, true) => Some(Families::Ipv6),
            (true, true) => Some(Families::Both),
            (false, false) => None,
        }
    }

    pub(crate) fn has_ipv4(self) -> bool {
        self != Families::Ipv6
    }

    pub(crate) fn has_ipv6(self) -> bool {
        self != Families::Ipv4
    }
}

/// Addresses a caller wants a network to have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RangeSpec {
    /// The subnet.
    pub subnet: IpNet,
    /// Address of the host on the network; the first of the subnet when absent.
    pub gateway: Option<IpAddr>,
    /// Part of the subnet from which addresses are chosen; all of it when absent.
    pub pool: Option<IpNet>,
    /// Addresses never chosen, by what they are for; a container may still ask for one by number.
    pub reserved: BTreeMap<String, IpAddr>,
}

impl RangeSpec {
    /// Returns a whole subnet.
    #[must_use]
    pub fn new(subnet: IpNet) -> RangeSpec {
        RangeSpec { subnet, gateway: None, pool: None, reserved: BTreeMap::new() }
    }
}

/// The addresses of one family that a network has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// The subnet.
    pub subnet: IpNet,
    /// Address of the host on the bridge; with other drivers that of the router.
    pub gateway: IpAddr,
    /// Part of the subnet from which addresses are chosen, when not all of it.
    #[serde(default)]
    pub pool: Option<IpNet>,
    /// Addresses never chosen, by what they are for.
    #[serde(default)]
    pub reserved: BTreeMap<String, IpAddr>,
    /// Whether the subnet was chosen here: it may be another the next time somebody comes onto the network.
    #[serde(default)]
    pub is_chosen: bool,
}

impl Range {
    /// Returns the gateway's address with the subnet's prefix length.
    pub(crate) fn of_gateway(&self) -> IpNet {
        IpNet::new(self.gateway, self.subnet.prefix_len()).expect("the prefix is one of a subnet of the same family")
    }
}

/// One network of this host, as `ROOT/networks/<id>/network.json` records it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// 64 hexadecimal digits.
    pub id: String,
    /// Name, unique on this host.
    pub name: String,
    /// How containers are connected.
    #[serde(default)]
    pub driver: Driver,
    /// Name of the bridge device, `lt-` and the first ten digits of the id unless told; with other drivers that of the
    /// host's device containers are put on.
    pub bridge: String,
    /// The network's addresses, one range for each of its families, IPv4 first.
    pub ranges: Vec<Range>,
    /// Whether containers on it are cut off from everything but each other.
    pub internal: bool,
    /// Largest packet in bytes, when not the kernel's 1500.
    pub mtu: Option<u32>,
    /// What the options mean.
    #[serde(default)]
    pub(crate) features: Features,
    /// Labels, kept as they are.
    pub labels: BTreeMap<String, String>,
    /// Options of the driver as they were given.
    pub options: BTreeMap<String, String>,
    /// Moment of creation in nanoseconds since 1970-01-01 UTC.
    pub created: u64,
}

impl Network {
    /// Returns the IPv4 addresses of the network.
    #[must_use]
    pub fn ipv4(&self) -> Option<&Range> {
        self.ranges.iter().find(|range| range.subnet.addr().is_ipv4())
    }

    /// Returns the IPv6 addresses of the network.
    #[must_use]
    pub fn ipv6(&self) -> Option<&Range> {
        self.ranges.iter().find(|range| range.subnet.addr().is_ipv6())
    }

    pub(crate) fn is_bridged(&self) -> bool {
        self.driver == Driver::Bridge
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Returns a network with 172.18.0.0/24 and, if asked for, fd00:1::/64.
    pub(crate) fn network(families: Families) -> Network {
        let range = |subnet: &str, gateway: &str| Range {
            subnet: subnet.parse().unwrap(),
            gateway: gateway.parse().unwrap(),
            pool: None,
            reserved: BTreeMap::new(),
            is_chosen: true,
        };
        let mut ranges = Vec::new();
        ranges.extend(families.has_ipv4().then(|| range("172.18.0.0/24", "172.18.0.1")));
        ranges.extend(families.has_ipv6().then(|| range("fd00:1::/64", "fd00:1::1")));
        Network {
            id: "ab".repeat(32),
            name: "web_default".into(),
            driver: Driver::Bridge,
            bridge: "lt-ababababab".into(),
            ranges,
            internal: false,
            mtu: None,
            features: Features::default(),
            labels: BTreeMap::new(),
            options: BTreeMap::new(),
            created: 0,
        }
    }
}
