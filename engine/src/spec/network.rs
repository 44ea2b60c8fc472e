//! How a container is networked.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

/// The network namespace of a container and what is plugged into it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NetworkMode {
    /// A namespace of its own on these networks; the first gives the default route.
    Bridge(Vec<Attachment>),
    /// The host's namespace.
    Host,
    /// A namespace of its own with loopback only.
    None,
    /// The namespace of another container, by id.
    Container(String),
}

/// One plug: this container on one network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Name of the network.
    pub network: String,
    /// Names that resolve to this container on that network, besides its own name and short id.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Fixed address.
    #[serde(default)]
    pub address: Option<Ipv4Addr>,
    /// Fixed hardware address.
    #[serde(default)]
    pub mac: Option<[u8; 6]>,
}

/// A port of the host that leads to a port of the container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedPort {
    /// Address of the host; `None` = all.
    #[serde(default)]
    pub host_ip: Option<IpAddr>,
    /// Port of the host; `None` = a free one, chosen at start.
    #[serde(default)]
    pub host_port: Option<u16>,
    /// Port of the container.
    pub target: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
}
