//! A network of the project.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

/// A range of addresses of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpamPool {
    /// The whole network; [`None`] leaves the choice to lighter.
    pub subnet: Option<IpNet>,
    /// The part of it from which containers get addresses.
    pub ip_range: Option<IpNet>,
    /// The address of the bridge.
    pub gateway: Option<IpAddr>,
    /// Addresses not to be given away, by name.
    pub aux_addresses: BTreeMap<String, IpAddr>,
}

/// One entry of the top-level `networks`, or the implicit `default`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// The key in the file.
    pub key: String,
    /// The name on the host: `name:`, else `<project>_<key>`.
    pub name: String,
    /// Made and deleted by somebody else.
    pub external: bool,
    /// No way out and no way in.
    pub internal: bool,
    /// Whether it has IPv6.
    pub enable_ipv6: bool,
    /// The address ranges asked for, in order; empty leaves the choice to lighter.
    pub pools: Vec<IpamPool>,
    /// Options of the bridge driver, as written.
    pub driver_opts: BTreeMap<String, String>,
    /// Labels of the user.
    pub labels: BTreeMap<String, String>,
}
