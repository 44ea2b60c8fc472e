//! What one container's network is made of: the wish ([`SandboxSpec`]) and the result ([`Sandbox`]). Any process; no
//! effects here.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::InterfaceSysctl;
use crate::relay::Relay;

/// Everything [`crate::Host::attach`] needs to know of a container.
#[derive(Clone, Debug)]
pub struct SandboxSpec {
    /// Container id, 64 hexadecimal digits.
    pub container: String,
    /// Path of the network namespace, as [`crate::Host::create_namespace`] returned it.
    pub netns: PathBuf,
    /// One interface each, `eth0` on; of those on networks that are not internal, the one with the highest
    /// [`EndpointSpec::gw_priority`] carries the default route, among equals the first.
    pub endpoints: Vec<EndpointSpec>,
    /// Ports of the host that lead to the container.
    pub ports: Vec<PublishedPort>,
}

/// One wished interface of a container.
#[derive(Clone, Debug, Default)]
pub struct EndpointSpec {
    /// Id of the network.
    pub network: String,
    /// Names the other containers of the network find it by: container name, service, aliases, short id.
    pub names: Vec<String>,
    /// Fixed addresses, at most one of a family; the lowest free one where absent.
    pub addresses: Vec<IpAddr>,
    /// Further addresses of the link (169.254.0.0/16, fe80::/10), which nobody else is kept from.
    pub link_local: Vec<IpAddr>,
    /// Fixed link-layer address; one derived from the address when absent.
    pub mac: Option<[u8; 6]>,
    /// Name of the interface; the next free one of `eth0`, `eth1` … when absent.
    pub interface: Option<String>,
    /// Kernel parameters of the interface, set before it is turned on.
    pub sysctls: Vec<InterfaceSysctl>,
    /// Claim to the default route.
    pub gw_priority: i64,
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

/// A wished way from a port of the host to a port of the container; ranges of targets are expanded by the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedPort {
    /// Address of the host it is reachable on; every IPv4 and IPv6 address when absent.
    pub host_ip: Option<IpAddr>,
    /// Port of the host, or ports of which the first free one is taken; any free one when absent.
    pub host_port: Option<RangeInclusive<u16>>,
    /// Port of the container.
    pub target: u16,
    /// Transport protocol.
    pub protocol: Protocol,
}

/// A published port as it came to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoundPort {
    /// Address of the host it is reachable on; `0.0.0.0` for every IPv4, `::` for every IPv6 address.
    pub host_ip: IpAddr,
    /// Port of the host.
    pub host_port: u16,
    /// Port of the container.
    pub target: u16,
    /// Transport protocol.
    pub protocol: Protocol,
}

impl BoundPort {
    /// Returns where the host is reached.
    #[must_use]
    pub fn host(&self) -> SocketAddr {
        SocketAddr::new(self.host_ip, self.host_port)
    }
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
    /// Addresses of the interface, one of each family of the network, IPv4 first.
    pub addresses: Vec<Address>,
    /// Further addresses of the link.
    #[serde(default)]
    pub link_local: Vec<IpAddr>,
    /// Link-layer address, `02:42:ac:12:00:02`.
    pub mac: String,
    /// Names it is found by.
    pub names: Vec<String>,
    /// Claim to the default route.
    #[serde(default)]
    pub gw_priority: i64,
}

/// An address of a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// The address.
    pub address: IpAddr,
    /// Prefix length of the network.
    pub prefix: u8,
    /// Address of the host, or of the router, on the network.
    pub gateway: IpAddr,
}

impl Endpoint {
    /// Returns the IPv4 address.
    #[must_use]
    pub fn ipv4(&self) -> Option<&Address> {
        self.addresses.iter().find(|address| address.address.is_ipv4())
    }

    /// Returns the IPv6 address.
    #[must_use]
    pub fn ipv6(&self) -> Option<&Address> {
        self.addresses.iter().find(|address| address.address.is_ipv6())
    }

    /// Returns its first name, or the id of the container.
    #[must_use]
    pub fn name(&self) -> &str {
        self.names.first().unwrap_or(&self.container)
    }
}

/// What [`crate::Host::attach`] made.
#[derive(Debug)]
pub struct Sandbox {
    /// The interfaces, in the order of the wish.
    pub endpoints: Vec<Endpoint>,
    /// Addresses of the host through which the container reaches everything, one of each family; of its first network, if
    /// none leads anywhere.
    pub gateways: Vec<IpAddr>,
    /// The published ports. Empty when every network is internal: nothing can reach such a container.
    pub ports: Vec<BoundPort>,
    /// Holds the published ports. Whoever outlives the container's start keeps it, so that no other program takes a port,
    /// and polls it.
    pub relay: Relay,
    /// What the user should know, one sentence each.
    pub notes: Vec<String>,
}
