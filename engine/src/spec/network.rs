//! How a container is networked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::netns::InterfaceSysctl;

/// The network namespace of a container and what is plugged into it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NetworkMode {
    /// A namespace of its own on these networks, with an interface each, in this order.
    Bridge(Vec<Attachment>),
    /// The host's namespace.
    Host,
    /// A namespace of its own with loopback only.
    None,
    /// The namespace of another container, by id.
    Container(String),
}

/// One plug: this container on one network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Name of the network.
    pub network: String,
    /// Names that resolve to this container on that network, besides its own name and short id.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Fixed IPv4 address.
    #[serde(default)]
    pub address: Option<Ipv4Addr>,
    /// Fixed IPv6 address.
    #[serde(default)]
    pub address6: Option<Ipv6Addr>,
    /// Further addresses of the link.
    #[serde(default)]
    pub link_local: Vec<IpAddr>,
    /// Fixed hardware address.
    #[serde(default)]
    pub mac: Option<[u8; 6]>,
    /// Name of the interface; `None` = the next of `eth0`, `eth1` …
    #[serde(default)]
    pub interface: Option<String>,
    /// Kernel parameters of the interface.
    #[serde(default)]
    pub sysctls: Vec<InterfaceSysctl>,
    /// The network with the highest gives the default route, among equals the first.
    #[serde(default)]
    pub gw_priority: i64,
}

impl Attachment {
    /// Returns a plug with nothing chosen.
    pub fn to(network: impl Into<String>) -> Self {
        Self { network: network.into(), ..Self::default() }
    }

    /// Returns the fixed addresses.
    pub fn addresses(&self) -> Vec<IpAddr> {
        self.address.map(IpAddr::V4).into_iter().chain(self.address6.map(IpAddr::V6)).collect()
    }
}

/// A further name for another container, known to this one alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The name here.
    pub alias: String,
    /// What it stands for: a name the other container has on a network of both.
    pub target: String,
}

/// A port of the host that leads to a port of the container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedPort {
    /// Address of the host; `None` = all.
    #[serde(default)]
    pub host_ip: Option<IpAddr>,
    /// Port of the host, or the lowest of those of which the first free one is taken; `None` = any free one, chosen at start.
    #[serde(default)]
    pub host_port: Option<u16>,
    /// The highest of them; `None` = there is one.
    #[serde(default)]
    pub last_host_port: Option<u16>,
    /// Port of the container.
    pub target: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
}
