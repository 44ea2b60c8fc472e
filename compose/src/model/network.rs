//! A network of the project.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

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
    /// Its addresses; [`None`] leaves the choice to lighter.
    pub subnet: Option<Ipv4Net>,
    /// The address of the bridge; [`None`] is the first of the subnet.
    pub gateway: Option<Ipv4Addr>,
    /// The largest packet in bytes; [`None`] is the kernel's 1500.
    pub mtu: Option<u32>,
    /// Labels of the user.
    pub labels: BTreeMap<String, String>,
}
