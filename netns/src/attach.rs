//! Connects a container: leases, ports, firewall, bridges, veths, addresses and routes, all or nothing. The command or
//! the monitor.
//!
//! ```text
//! under the lock   1 leases and ports into files     so that nobody else can choose them
//!                  2 firewall                        before the first packet can flow
//!                  3 bridges
//! without it       4 veths, host ends up
//!                  5 inside: addresses, up, default route
//!                  6 bridges up, until everything passes packets on
//!                  7 connections of the ports forgotten
//! ```
//! On failure everything is undone by what `detach` does. Killed in between, it leaves files that `detach` finds.

mod address;
mod error;
mod interface;

pub use error::AttachError;
use interface::Interfaces;

use crate::bridge;
use crate::firewall::Content;
use crate::netlink::{Netlink, forget_udp};
use crate::ports::{Reserved, reserve};
use crate::state::{Lease, Lock, PortRecord};
use crate::{Host, Network, Protocol, Sandbox, SandboxSpec, sysctl};

/// What the files say of a container after step 1.
struct Claim {
    leases: Vec<Lease>,
    reserved: Reserved,
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
        let networks = self.networks_of(spec)?;
        self.connect(spec, &networks).map_err(|cause| match self.release(&spec.container).into_result() {
            Ok(()) => cause,
            Err(rest) => AttachError::Leftover { cause: Box::new(cause), rest },
        })
    }

    fn networks_of(&self, spec: &SandboxSpec) -> Result<Vec<Network>, AttachError> {
        let mut networks: Vec<Network> = Vec::new();
        for endpoint in &spec.endpoints {
            let missing = || AttachError::NoSuchNetwork { network: endpoint.network.clone() };
            let network = self.read_network(&endpoint.network)?.ok_or_else(missing)?;
            if networks.iter().any(|other| other.id == network.id) {
                return Err(AttachError::TwiceOnNetwork { container: spec.container.clone(), network: network.name });
            }
            networks.push(network);
        }
        Ok(networks)
    }

    fn connect(&self, spec: &SandboxSpec, networks: &[Network]) -> Result<Sandbox, AttachError> {
        let lock = self.lock()?;
        let claim = self.claim(spec, networks, &lock)?;
        let record = self.publish(spec, &claim, &lock)?;
        self.admit(&spec.container, &Content::of(&claim.leases, record.as_slice()), &lock)?;
        prepare_bridges(networks, record.is_some())?;
        drop(lock);
        Interfaces { leases: &claim.leases, networks, publishes: record.is_some() }.create(&spec.netns)?;
        forget_udp(&udp_ports(record.as_ref()))?;
        let endpoints = claim.leases.into_iter().map(|lease| lease.endpoint).collect();
        Ok(Sandbox { endpoints, ports: claim.reserved.ports, reservations: claim.reserved.sockets })
    }

    fn claim(&self, spec: &SandboxSpec, networks: &[Network], lock: &Lock) -> Result<Claim, AttachError> {
        let mut leases = Vec::new();
        for (number, (wish, network)) in spec.endpoints.iter().zip(networks).enumerate() {
            // Deleted since it was looked up: the lock was not held then.
            if self.read_network(&network.id)?.is_none() {
                return Err(AttachError::NoSuchNetwork { network: network.name.clone() });
            }
            let lease =
                address::lease(&spec.container, wish, number, (network, &self.leases_of_network(&network.id)?))?;
            self.write_lease(&lease, lock)?;
            leases.push(lease);
        }
        let reserved = match leases.iter().any(|lease| !lease.internal) {
            true => reserve(&spec.ports, &self.all_ports()?)?,
            // Nothing of the host may reach an internal network, so there is nothing to publish.
            false => Reserved::default(),
        };
        Ok(Claim { leases, reserved })
    }

    /// Records the ports; they lead to the container's first address that can be reached from outside.
    fn publish(&self, spec: &SandboxSpec, claim: &Claim, lock: &Lock) -> Result<Option<PortRecord>, AttachError> {
        let Some(target) = claim.leases.iter().find(|lease| !lease.internal) else { return Ok(None) };
        if claim.reserved.ports.is_empty() {
            return Ok(None);
        }
        let record = PortRecord {
            container: spec.container.clone(),
            name: target.endpoint.names.first().unwrap_or(&spec.container).clone(),
            address: target.endpoint.address,
            ports: claim.reserved.ports.clone(),
        };
        self.write_ports(&record, lock)?;
        Ok(Some(record))
    }
}

/// Returns whether an id can be the name of a file.
fn is_plain(container: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    !container.is_empty() && container.len() <= 128 && container.chars().all(allowed)
}

/// Makes the bridges; behind one with published ports, answers to 127.0.0.1 are taken for what they are.
fn prepare_bridges(networks: &[Network], publishes: bool) -> Result<(), AttachError> {
    let mut netlink = Netlink::route()?;
    for network in networks {
        bridge::ensure(&mut netlink, network)?;
        if publishes && !network.internal {
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

    #[test]
    fn an_id_is_a_file_name_and_nothing_else() {
        assert!(is_plain(&"0f".repeat(32)));
        for id in ["", ".", "..", "a/b", "a.json", &"0".repeat(200)] {
            assert!(!is_plain(id), "{id}");
        }
    }
}
