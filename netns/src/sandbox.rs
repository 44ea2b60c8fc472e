//! What one container's network is made of: the wish ([`SandboxSpec`]) and the result ([`Sandbox`]). Any process; no
//! effects here.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Everything [`crate::Host::attach`] needs to know of a container.
#[derive(Clone, Debug)]
pub struct SandboxSpec {
    /// Container id, 64 hexadecimal digits.
    pub container: String,
    /// Path of the network namespace, as [`crate::Host::create_namespace`] returned it.
    pub netns: PathBuf,
    /// One interface each, `eth0` on; the first on a network that is not internal carries the default route.
    pub endpoints: Vec<EndpointSpec>,
    /// Ports of the host that lead to the container.
    pub ports: Vec<PublishedPort>,
}

/// One wished interface of a container.
#[derive(Clone, Debug)]
pub struct EndpointSpec {
    /// Id of the network.
    pub network: String,
    /// Names the other containers of the network find it by: container name, service, aliases, short id.
    pub names: Vec<String>,
    /// Fixed address; the lowest free one when absent.
    pub address: Option<Ipv4Addr>,
    /// Fixed link-layer address; one derived from the address when absent.
    pub mac: Option<[u8; 6]>,
}

/// Transport protocol of a published port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP
    Tcp,
    /// UDP
    Udp,
    /// SCTP
    Sctp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Sctp => "sctp",
        })
    }
}

/// A wished way from a port of the host to a port of the container; ranges are expanded by the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedPort {
    /// Address of the host it is reachable on; every IPv4 address when absent.
    pub host_ip: Option<IpAddr>,
    /// Port of the host; a free one when absent.
    pub host_port: Option<u16>,
    /// Port of the container.
    pub target: u16,
    /// Transport protocol.
    pub protocol: Protocol,
}

/// A published port as it came to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoundPort {
    /// Address of the host it is reachable on; `0.0.0.0` for every address.
    pub host_ip: Ipv4Addr,
    /// Port of the host.
    pub host_port: u16,
    /// Port of the container.
    pub target: u16,
    /// Transport protocol.
    pub protocol: Protocol,
}

/// One interface of a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Id of the network.
    pub network: String,
    /// Name of the network.
    pub network_name: String,
    /// Id of the container.
    pub container: String,
    /// Name of the interface inside the container.
    pub interface: String,
    /// Address of the interface.
    pub address: Ipv4Addr,
    /// Prefix length of the network.
    pub prefix: u8,
    /// Address of the host on the network.
    pub gateway: Ipv4Addr,
    /// Link-layer address, `02:42:ac:12:00:02`.
    pub mac: String,
    /// Names it is found by.
    pub names: Vec<String>,
}

/// What [`crate::Host::attach`] made.
#[derive(Debug)]
pub struct Sandbox {
    /// The interfaces, in the order of the wish.
    pub endpoints: Vec<Endpoint>,
    /// The published ports. Empty when every network is internal: nothing can reach such a container.
    pub ports: Vec<BoundPort>,
    /// Sockets bound to the published ports. Whoever outlives the container's start holds them, so that no other
    /// program takes the port.
    pub reservations: Vec<OwnedFd>,
}
