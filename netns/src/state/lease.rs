//! Leases: which container has which address on which network. Any process reads, whoever holds the lock writes.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::file::{directory_names, ensure_directory, has_names, read, record_names, remove_file, write_run_file};
use super::{Lock, StateError};
use crate::{Driver, Endpoint, Host};

/// One container on one network: the endpoint, and what the host needs to know to keep and to undo it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lease {
    #[serde(flatten)]
    pub(crate) endpoint: Endpoint,
    /// How the network connects its containers.
    #[serde(default)]
    pub(crate) driver: Driver,
    /// Name of the network's bridge, or of the device its containers sit on.
    pub(crate) bridge: String,
    /// Whether the network is internal.
    pub(crate) internal: bool,
    /// Whether the network's containers do not reach each other.
    #[serde(default)]
    pub(crate) keeps_apart: bool,
    /// Whether the network's containers leave with their own addresses.
    #[serde(default)]
    pub(crate) is_routed: bool,
    /// Name of the veth's host end.
    pub(crate) host_interface: String,
    /// Kernel parameters of the interface: paths below `/proc/sys`, and values.
    #[serde(default)]
    pub(crate) sysctls: Vec<(String, String)>,
}

impl Lease {
    pub(crate) fn is_bridged(&self) -> bool {
        self.driver == Driver::Bridge
    }

    /// Returns whether published ports can lead here, and the default route away: nothing of the host may reach an internal
    /// network.
    pub(crate) fn is_open(&self) -> bool {
        !self.internal
    }
}

impl Host {
    /// Returns the directory of a network's leases; it changes its mtime with every lease that comes or goes.
    pub(crate) fn leases(&self, network: &str) -> PathBuf {
        self.run().join("networks").join(network)
    }

    pub(crate) fn lease(&self, network: &str, container: &str) -> PathBuf {
        self.leases(network).join(format!("{container}.json"))
    }

    /// Returns the leases of one network, in the order of the containers' ids.
    pub(crate) fn leases_of_network(&self, network: &str) -> Result<Vec<Lease>, StateError> {
        let mut leases = Vec::new();
        for container in record_names(&self.leases(network))? {
            leases.extend(read(&self.lease(network, &container))?);
        }
        Ok(leases)
    }

    /// Returns the ids of the networks that have or had leases since the boot.
    pub(crate) fn leased_networks(&self) -> Result<Vec<String>, StateError> {
        directory_names(&self.run().join("networks"))
    }

    /// Returns every lease.
    pub(crate) fn all_leases(&self) -> Result<Vec<Lease>, StateError> {
        let mut leases = Vec::new();
        for network in self.leased_networks()? {
            leases.extend(self.leases_of_network(&network)?);
        }
        Ok(leases)
    }

    /// Returns the leases of one container, in the order of its interfaces.
    pub(crate) fn leases_of_container(&self, container: &str) -> Result<Vec<Lease>, StateError> {
        let mut leases: Vec<Lease> = Vec::new();
        for network in self.leased_networks()? {
            leases.extend(read(&self.lease(&network, container))?);
        }
        leases.sort_by(|a, b| a.endpoint.interface.cmp(&b.endpoint.interface));
        Ok(leases)
    }

    /// Writes a lease; its addresses are seen to be taken first.
    pub(crate) fn write_lease(&self, lease: &Lease, _lock: &Lock) -> Result<(), StateError> {
        let Endpoint { network, container, addresses, .. } = &lease.endpoint;
        ensure_directory(&self.addresses(network))?;
        for address in addresses {
            let link = self.addresses(network).join(address.address.to_string());
            remove_file(&link)?;
            symlink(container, &link).map_err(StateError::file("create", &link))?;
        }
        write_run_file(&self.lease(network, container), lease)
    }

    pub(crate) fn remove_lease(&self, lease: &Lease, _lock: &Lock) -> Result<(), StateError> {
        let Endpoint { network, container, addresses, .. } = &lease.endpoint;
        remove_file(&self.lease(network, container))?;
        for address in addresses {
            let link = self.addresses(network).join(address.address.to_string());
            if fs::read_link(&link).is_ok_and(|of| of == Path::new(container)) {
                remove_file(&link)?;
            }
        }
        Ok(())
    }

    /// Returns the directory with a link for each address of a network that is taken: which are is known without reading every
    /// lease.
    fn addresses(&self, network: &str) -> PathBuf {
        self.leases(network).join(".addresses")
    }

    /// Returns the addresses of a network that are taken, or that somebody who was killed has left behind.
    pub(crate) fn taken_addresses(&self, network: &str) -> Result<Vec<IpAddr>, StateError> {
        let names = directory_names(&self.addresses(network))?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// Returns whether there is one, which is known without all of them.
    pub(crate) fn has_taken_addresses(&self, network: &str) -> Result<bool, StateError> {
        has_names(&self.addresses(network))
    }

    /// Returns the ids of the containers on a network.
    pub(crate) fn containers_of_network(&self, network: &str) -> Result<Vec<String>, StateError> {
        record_names(&self.leases(network))
    }

    /// Returns the containers that have a lease, each as often as it has one.
    pub(crate) fn leased_containers(&self) -> Result<Vec<String>, StateError> {
        let mut containers = Vec::new();
        for network in self.leased_networks()? {
            containers.extend(record_names(&self.leases(&network))?);
        }
        Ok(containers)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::Address;

    /// Returns a lease of 172.18.0.`last` on the network `n`, called `Web_default`.
    pub(crate) fn lease(last: u8, names: &[&str]) -> Lease {
        let address = Address { address: [172, 18, 0, last].into(), prefix: 24, gateway: [172, 18, 0, 1].into() };
        let endpoint = Endpoint {
            network: "n".into(),
            network_name: "Web_default".into(),
            container: format!("c{last}"),
            interface: "eth0".into(),
            addresses: vec![address],
            link_local: vec![],
            mac: "02:42:ac:12:00:02".into(),
            names: names.iter().map(ToString::to_string).collect(),
            gw_priority: 0,
        };
        Lease {
            endpoint,
            driver: Driver::Bridge,
            bridge: "lt-n".into(),
            internal: false,
            keeps_apart: false,
            is_routed: false,
            host_interface: "lv-1".into(),
            sysctls: Vec::new(),
        }
    }
}
