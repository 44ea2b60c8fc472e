//! What a network is: the values a caller gives and the record kept of it. Any process; no effects here.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

/// What a caller wants of a new network; everything left out is chosen by [`crate::Host::create_network`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkSpec {
    /// Name, unique on this host: a letter or digit, then letters, digits, `_`, `.` and `-`.
    pub name: String,
    /// Subnet; a free /24 of the pools when absent.
    pub subnet: Option<Ipv4Net>,
    /// Address of the host on the bridge; the first of the subnet when absent.
    pub gateway: Option<Ipv4Addr>,
    /// Whether containers on it are cut off from everything but each other.
    pub internal: bool,
    /// Largest packet in bytes of the bridge and its veths; 1500 when absent.
    pub mtu: Option<u32>,
    /// Labels, kept as they are.
    pub labels: BTreeMap<String, String>,
    /// Driver options, kept as they are.
    pub options: BTreeMap<String, String>,
}

/// One network of this host, as `ROOT/networks/<id>/network.json` records it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// 64 hexadecimal digits.
    pub id: String,
    /// Name, unique on this host.
    pub name: String,
    /// Name of the bridge device: `lt-` and the first ten digits of the id.
    pub bridge: String,
    /// The network's addresses.
    pub subnet: Ipv4Net,
    /// Address of the host on the bridge.
    pub gateway: Ipv4Addr,
    /// Whether containers on it are cut off from everything but each other.
    pub internal: bool,
    /// Largest packet in bytes, when not the kernel's 1500.
    pub mtu: Option<u32>,
    /// Labels, kept as they are.
    pub labels: BTreeMap<String, String>,
    /// Driver options, kept as they are.
    pub options: BTreeMap<String, String>,
    /// Moment of creation in nanoseconds since 1970-01-01 UTC.
    pub created: u64,
}
