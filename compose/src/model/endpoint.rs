//! How a service is connected: namespace, networks, names.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use lighter_engine::netns::InterfaceSysctl;

/// Whose network namespace a service uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkMode {
    /// Its own, attached to these networks of the project, by key; at least one.
    Networks(BTreeMap<String, Endpoint>),
    /// Its own, with nothing but a loopback.
    None,
    /// The host's.
    Host,
    /// That of the first container of this service of the project.
    Service(String),
    /// That of this container.
    Container(String),
    /// Its own, attached to the network of containers that name none.
    Bridge,
}

/// What a service asks of one network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// Further names on this network, beside the service and container names.
    pub aliases: Vec<String>,
    /// A fixed address.
    pub ipv4_address: Option<Ipv4Addr>,
    /// A fixed address.
    pub ipv6_address: Option<Ipv6Addr>,
    /// Further addresses of the link.
    pub link_local_ips: Vec<IpAddr>,
    /// The name of the interface in the container; [`None`] is `eth` and a number.
    pub interface_name: Option<String>,
    /// Kernel parameters of the interface.
    pub sysctls: Vec<InterfaceSysctl>,
    /// A fixed hardware address.
    pub mac_address: Option<[u8; 6]>,
    /// Networks are attached from the highest to the lowest, equals by name.
    pub priority: i64,
    /// The network with the highest gives the default route.
    pub gw_priority: i64,
}

/// The address of an `extra_hosts` entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostAddress {
    /// An address.
    Ip(IpAddr),
    /// `host-gateway`: the address under which the container reaches the host.
    Gateway,
}

/// A line for `/etc/hosts`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtraHost {
    /// The name.
    pub name: String,
    /// What it stands for.
    pub address: HostAddress,
}

/// Everything about names and networks of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Networking {
    /// Namespace and networks.
    pub mode: NetworkMode,
    /// `hostname`; default is the short id of the container.
    pub hostname: Option<String>,
    /// `domainname`.
    pub domainname: Option<String>,
    /// Name servers instead of the host's.
    pub dns: Vec<IpAddr>,
    /// Search domains instead of the host's.
    pub dns_search: Vec<String>,
    /// Resolver options instead of the host's.
    pub dns_options: Vec<String>,
    /// A fixed hardware address on the first network.
    pub mac_address: Option<[u8; 6]>,
    /// Further names for other containers that this one alone knows: name, and the other's own. Services before `external_links`.
    pub links: Vec<(String, String)>,
    /// Further lines of `/etc/hosts`, in order.
    pub extra_hosts: Vec<ExtraHost>,
}

impl Networking {
    /// Returns the networks of the service with their keys, in the order in which they are attached.
    pub fn attachments(&self) -> Vec<(&str, &Endpoint)> {
        let NetworkMode::Networks(networks) = &self.mode else { return Vec::new() };
        let mut attachments: Vec<_> = networks.iter().map(|(key, endpoint)| (key.as_str(), endpoint)).collect();
        // The map is ordered by key and the sort is stable, so equals stay ordered by name.
        attachments.sort_by_key(|(_, endpoint)| std::cmp::Reverse(endpoint.priority));
        attachments
    }
}
