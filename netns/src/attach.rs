//! Connects a container: leases, ports, firewall, bridges, veths, addresses and routes, all or nothing. The command or
//! the monitor.
//!
//! ```text
//! under the lock   0 subnets clear of the host's     while nobody is on the network
//!                  1 leases and ports into files     so that nobody else can choose them
//!                  2 firewall                        before the first packet can flow
//!                  3 bridges
//! without it       4 veths, host ends up
//!                  5 inside: addresses, up, default routes
//!                  6 bridges up, until everything passes packets on
//!                  7 connections of the ports forgotten
//! ```
//! On failure everything is undone by what `detach` does. Killed in between, it leaves files that `detach` finds.

mod address;
mod error;
mod interface;
mod plug;
mod route;

pub use error::AttachError;
use interface::Interfaces;
use route::by_claim;
pub(crate) use route::default_routes;

use std::net::IpAddr;

use crate::bridge;
use crate::detach::Failures;
use crate::firewall::Content;
use crate::netlink::{Netlink, forget_udp};
use crate::pools::same_family;
use crate::ports::{Reserved, reserve, reserve_again};
use crate::state::{Lease, Lock, PortRecord};
use crate::{BoundPort, Host, Network, Protocol, Relay, Sandbox, SandboxSpec, StateError, sysctl};

/// What the files say of a container after step 1.
struct Claim {
    leases: Vec<Lease>,
    reserved: Vec<Reserved>,
    record: Option<PortRecord>,
    /// Whether it is the first on one of its networks: what is wrong with the network has not been said yet.
    is_first: bool,
    /// Whether it is the first on all of them.
    is_alone: bool,
}

impl Host {
    /// Connects a container to its networks and publishes its ports.
    ///
    /// Fails without a trace: a container is connected whole or not at all. Fails too when the container is connected
    /// already; [`Host::detach`] it first.
    pub fn attach(&self, spec: &SandboxSpec) -> Result<Sandbox, AttachError> {
        let container = || spec.container.clone();
        if !is_plain(&spec.container) {
            return Err(AttachError::NotAnId { container: container() });
        }
        if !self.leases_of_container(&spec.container)?.is_empty() || self.ports_of_container(&spec.container)?.is_some()
        {
            return Err(AttachError::AlreadyAttached { container: container() });
        }
        self.connect(spec).map_err(|cause| {
            let mut failures = Failures::of(&spec.container);
            self.release(&spec.container, &mut failures);
            match failures.into_result() {
                Ok(()) => cause,
                Err(rest) => AttachError::Leftover { cause: Box::new(cause), rest },
            }
        })
    }

    /// Holds the published ports of a running container again, whose monitor has died.
    pub fn hold_ports(&self, container: &str) -> Result<Relay, StateError> {
        let Some(record) = self.ports_of_container(container)? else { return Ok(Relay::default()) };
        Ok(Relay::new(reserve_again(&record.ports), &record.targets, self.settings().publish))
    }

    fn networks_of(&self, spec: &SandboxSpec, lock: &Lock) -> Result<Vec<Network>, AttachError> {
        let mut networks: Vec<Network> = Vec::new();
        for endpoint in &spec.endpoints {
            let network = self.settled(&endpoint.network, lock)?;
            if networks.iter().any(|other| other.id == network.id) {
                return Err(AttachError::TwiceOnNetwork { container: spec.container.clone(), network: network.name });
            }
            networks.push(network);
        }
        Ok(networks)
    }

    /// Returns the network with this id as a container comes onto it.
    fn settled(&self, id: &str, lock: &Lock) -> Result<Network, AttachError> {
        let network = self.read_network(id)?.ok_or_else(|| AttachError::NoSuchNetwork { network: id.to_owned() })?;
        let refused = |source| AttachError::Network { name: network.name.clone(), source: Box::new(source) };
        self.renumber(network.clone(), lock).map_err(refused)
    }

    fn connect(&self, spec: &SandboxSpec) -> Result<Sandbox, AttachError> {
        let lock = self.lock()?;
        self.stay(&spec.container, &lock)?;
        let networks = self.networks_of(spec, &lock)?;
        let claim = self.claim(spec, &networks, &lock)?;
        let content = Content::of(&claim.leases, claim.record.as_slice());
        let mut notes: Vec<String> = unpublished(spec, &claim).into_iter().collect();
        if !content.is_empty() {
            notes.extend(self.admit((&spec.container, claim.is_alone), &content, &lock)?);
        }
        if claim.is_first {
            notes.extend(self.obstacles(&content)?);
        }
        prepare_bridges(&networks, claim.record.is_some())?;
        let _until_connected = lock.release();
        let interfaces = Interfaces { leases: &claim.leases, networks: &networks, publishes: claim.record.is_some() };
        interfaces.create(&spec.netns, &claim.leases)?;
        forget_udp(&udp_ports(claim.record.as_ref()))?;
        let ports = claim.reserved.iter().map(|reserved| reserved.port.clone()).collect();
        let relay = Relay::new(claim.reserved, &targets(&claim.leases), self.settings().publish);
        let gateways = gateways(&claim.leases);
        let endpoints = claim.leases.into_iter().map(|lease| lease.endpoint).collect();
        Ok(Sandbox { endpoints, gateways, ports, relay, notes })
    }

    fn claim(&self, spec: &SandboxSpec, networks: &[Network], lock: &Lock) -> Result<Claim, AttachError> {
        let (mut leases, mut is_first, mut is_alone): (Vec<Lease>, _, _) = (Vec::new(), false, true);
        for (wish, network) in spec.endpoints.iter().zip(networks) {
            let (lease, is_first_here) = self.write_new_lease(&spec.container, wish, (network, &leases), lock)?;
            is_first |= is_first_here;
            is_alone &= is_first_here;
            leases.push(lease);
        }
        let targets = targets(&leases);
        let reserved = match targets.is_empty() {
            true => Vec::new(),
            false => reserve(&spec.ports, &self.all_ports()?, host_address(&leases, networks))?,
        };
        let ports: Vec<BoundPort> = reserved.iter().map(|reserved| reserved.port.clone()).collect();
        let name = leases.first().map_or(&*spec.container, |lease| lease.endpoint.name()).to_owned();
        let record = PortRecord { container: spec.container.clone(), name, targets, ports };
        let record = Some(record).filter(|record| !record.ports.is_empty());
        if let Some(record) = &record {
            self.write_ports(record, lock)?;
        }
        Ok(Claim { leases, reserved, record, is_first, is_alone })
    }
}

/// Returns whether an id can be the name of a file.
pub(crate) fn is_plain(container: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    !container.is_empty() && container.len() <= 128 && container.chars().all(allowed)
}

/// Returns the addresses published ports lead to: of each family that of the interface with the best claim to the default
/// route. A network without a bridge is reached past this host, an internal one not at all.
fn targets(leases: &[Lease]) -> Vec<IpAddr> {
    let mut targets: Vec<IpAddr> = Vec::new();
    for lease in by_claim(leases).into_iter().filter(|lease| lease.is_open() && lease.is_bridged()) {
        for address in &lease.endpoint.addresses {
            if !targets.iter().any(|target| same_family(*target, address.address)) {
                targets.push(address.address);
            }
        }
    }
    targets.sort_unstable_by_key(IpAddr::is_ipv6);
    targets
}

fn gateways(leases: &[Lease]) -> Vec<IpAddr> {
    let leading: Vec<_> = default_routes(leases).into_iter().map(|(_, address)| address.gateway).collect();
    let first = || leases.iter().take(1).flat_map(|lease| &lease.endpoint.addresses).map(|address| address.gateway);
    if leading.is_empty() { first().collect() } else { leading }
}

/// Returns where ports without an address are published, if the network they lead to has a place for them.
fn host_address(leases: &[Lease], networks: &[Network]) -> Option<IpAddr> {
    let lease = by_claim(leases).into_iter().find(|lease| lease.is_open() && lease.is_bridged())?;
    networks.iter().find(|network| network.id == lease.endpoint.network)?.features.host_address
}

fn unpublished(spec: &SandboxSpec, claim: &Claim) -> Option<String> {
    let ignored = !spec.ports.is_empty() && claim.record.is_none();
    ignored.then(|| "no port is published: no network of the container is reached through this host".to_owned())
}

/// Makes the bridges; behind one with published ports, answers to 127.0.0.1 are taken for what they are.
fn prepare_bridges(networks: &[Network], publishes: bool) -> Result<(), AttachError> {
    let mut netlink = Netlink::route()?;
    for network in networks {
        bridge::ensure(&mut netlink, network)?;
        if publishes && !network.internal && network.is_bridged() {
            sysctl::set(&format!("net/ipv4/conf/{}/route_localnet", network.bridge), true)?;
        }
    }
    Ok(())
}

/// Returns the published UDP ports of the host.
pub(crate) fn udp_ports(record: Option<&PortRecord>) -> Vec<u16> {
    let ports = record.map(|record| record.ports.as_slice()).unwrap_or_default();
    ports.iter().filter(|port| port.protocol == Protocol::Udp).map(|port| port.host_port).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::tests::lease;

    #[test]
    fn an_id_is_a_file_name_and_nothing_else() {
        assert!(is_plain(&"0f".repeat(32)));
        for id in ["", ".", "..", "a/b", "a.json", &"0".repeat(200)] {
            assert!(!is_plain(id), "{id}");
        }
    }

    #[test]
    fn ports_lead_to_the_open_network_with_the_best_claim() {
        let mut leases = [lease(2, &[]), lease(3, &[]), lease(4, &[])];
        leases[0].internal = true;
        assert_eq!(targets(&leases), ["172.18.0.3".parse::<IpAddr>().unwrap()]);
        leases[2].endpoint.gw_priority = 1;
        assert_eq!(targets(&leases), ["172.18.0.4".parse::<IpAddr>().unwrap()]);
        assert_eq!(targets(&leases[..1]), Vec::<IpAddr>::new());
    }
}
