//! A network of the project.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use lighter_engine::netns::Driver;

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
    /// How its containers are connected.
    pub driver: Driver,
    /// Options of the driver, by Docker's names.
    pub options: BTreeMap<String, String>,
    /// Containers get IPv4 addresses.
    pub ipv4: bool,
    /// Containers get IPv6 addresses.
    pub ipv6: bool,
    /// Its addresses, at most one range of each family; a family without one leaves the choice to lighter.
    pub ranges: Vec<Range>,
    /// Labels of the user.
    pub labels: BTreeMap<String, String>,
}

/// One entry of `ipam.config`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// The addresses.
    pub subnet: IpNet,
    /// The address of the bridge; [`None`] is the first of the subnet.
    pub gateway: Option<IpAddr>,
    /// The part of the subnet that addresses are chosen from; [`None`] is all of it.
    pub pool: Option<IpNet>,
    /// Addresses that are never chosen, by what they are for.
    pub reserved: BTreeMap<String, IpAddr>,
}
