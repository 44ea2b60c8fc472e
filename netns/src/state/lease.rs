//! Leases: which container has which address on which network. Any process reads, whoever holds the lock writes.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::file::{directory_names, read, record_names, remove_file, write_run_file};
use super::{Lock, StateError};
use crate::{Endpoint, Host};

/// One container on one network: the endpoint, and what the host needs to know to keep and to undo it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lease {
    #[serde(flatten)]
    pub(crate) endpoint: Endpoint,
    /// Name of the network's bridge.
    pub(crate) bridge: String,
    /// Whether the network is internal.
    pub(crate) internal: bool,
    /// Name of the veth's host end.
    pub(crate) host_interface: String,
}

impl Host {
    /// Returns the directory of a network's leases; it changes its mtime with every lease that comes or goes.
    pub(crate) fn leases(&self, network: &str) -> PathBuf {
        self.run().join("networks").join(network)
    }

    fn lease(&self, network: &str, container: &str) -> PathBuf {
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

    pub(crate) fn write_lease(&self, lease: &Lease, _lock: &Lock) -> Result<(), StateError> {
        write_run_file(&self.lease(&lease.endpoint.network, &lease.endpoint.container), lease)
    }

    pub(crate) fn remove_lease(&self, network: &str, container: &str, _lock: &Lock) -> Result<(), StateError> {
        remove_file(&self.lease(network, container))
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
