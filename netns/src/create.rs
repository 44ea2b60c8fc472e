//! Creates, finds and deletes networks. The command.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::bridge;
use crate::failure::from_host_errors;
use crate::ipam::IpamError;
use crate::netlink::{Netlink, NetlinkError};
use crate::options::{self, OptionError};
use crate::state::Lock;
use crate::subnets::Choice;
use crate::{Endpoint, Host, HostError, Network, NetworkSpec, StateError};

/// Why a network could not be created, found, deleted or kept up.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The name is none.
    #[error("create network `{name}`: a name is a letter or digit, then letters, digits, `_`, `.` and `-`")]
    InvalidName {
        /// The wanted name.
        name: String,
    },
    /// The name is that of a mode.
    #[error("create network `{name}`: where a container is given a network, the word means a mode")]
    Mode {
        /// The wanted name.
        name: String,
    },
    /// Another network has the name.
    #[error("create network `{name}`: the name is taken")]
    AlreadyExists {
        /// The wanted name.
        name: String,
    },
    /// Containers are on the network.
    #[error("delete network `{name}`: in use by {}", endpoints.join(", "))]
    InUse {
        /// The network.
        name: String,
        /// First name of each container on it.
        endpoints: Vec<String>,
    },
    /// An option cannot be had.
    #[error("create network `{name}`")]
    Option {
        /// The wanted name.
        name: String,
        /// The cause.
        source: OptionError,
    },
    /// No subnet or gateway could be chosen.
    #[error(transparent)]
    Ipam(#[from] IpamError),
    /// The host refused.
    #[error(transparent)]
    Host(#[from] HostError),
}

from_host_errors!(NetworkError: StateError, NetlinkError);

impl Host {
    /// Creates a network: chooses what `spec` leaves open, records it and makes its bridge.
    ///
    /// Of two that want the same name at the same time, one gets [`NetworkError::AlreadyExists`].
    pub fn create_network(&self, spec: &NetworkSpec) -> Result<Network, NetworkError> {
        check_name(&spec.name)?;
        let lock = self.lock()?;
        let others = self.read_networks()?;
        if others.iter().any(|other| other.name == spec.name) {
            return Err(NetworkError::AlreadyExists { name: spec.name.clone() });
        }
        let mut netlink = Netlink::route()?;
        let network = self.resolve(spec, &others, &mut netlink)?;
        self.write_network(&network, &lock)?;
        // The bridge comes at once, so that the subnet is seen to be taken by whoever else looks for one.
        if let Err(error) = bridge::ensure(&mut netlink, &network) {
            self.undo_create(&network, &mut netlink, &lock)?;
            return Err(error.into());
        }
        Ok(network)
    }

    fn undo_create(&self, network: &Network, netlink: &mut Netlink, lock: &Lock) -> Result<(), NetworkError> {
        bridge::delete(netlink, std::slice::from_ref(network))?;
        Ok(self.remove_network(&network.id, lock)?)
    }

    fn resolve(&self, spec: &NetworkSpec, others: &[Network], netlink: &mut Netlink) -> Result<Network, NetworkError> {
        let refused = |source| NetworkError::Option { name: spec.name.clone(), source };
        let features = options::read(spec.driver, &spec.options).map_err(refused)?;
        let id = random_id();
        let bridge = features.device.clone().unwrap_or_else(|| bridge::name(&id));
        Ok(Network {
            name: spec.name.clone(),
            driver: spec.driver,
            ranges: Choice { pools: self.pools(), id: &id, bridge: &bridge, others, netlink }.ranges(spec)?,
            bridge,
            id,
            internal: spec.internal,
            mtu: spec.mtu.or(features.mtu),
            features,
            labels: spec.labels.clone(),
            options: spec.options.clone(),
            created: now(),
        })
    }

    /// Returns every network, in the order of their names.
    pub fn networks(&self) -> Result<Vec<Network>, NetworkError> {
        Ok(self.read_networks()?)
    }

    /// Returns the network with this name or id, or the only one whose id starts with it.
    pub fn network(&self, name_or_id: &str) -> Result<Option<Network>, NetworkError> {
        let mut networks = self.read_networks()?;
        if let Some(index) = networks.iter().position(|network| network.name == name_or_id) {
            return Ok(Some(networks.swap_remove(index)));
        }
        networks.retain(|network| !name_or_id.is_empty() && network.id.starts_with(name_or_id));
        Ok(if networks.len() == 1 { networks.pop() } else { None })
    }

    /// Deletes a network that no container is on, with its bridge. Succeeds when there is none with this id.
    pub fn delete_network(&self, id: &str) -> Result<(), NetworkError> {
        let lock = self.lock()?;
        let Some(network) = self.read_network(id)? else { return Ok(()) };
        let leases = self.leases_of_network(id)?;
        if !leases.is_empty() {
            let endpoints = leases.iter().map(|lease| lease.endpoint.name().to_owned()).collect();
            return Err(NetworkError::InUse { name: network.name, endpoints });
        }
        bridge::delete(&mut Netlink::route()?, &[network])?;
        Ok(self.remove_network(id, &lock)?)
    }

    /// Returns the containers on a network, in the order of their ids.
    pub fn endpoints(&self, network_id: &str) -> Result<Vec<Endpoint>, NetworkError> {
        Ok(self.leases_of_network(network_id)?.into_iter().map(|lease| lease.endpoint).collect())
    }
}

/// Words that mean, in the place of a network's name, the network of the host and none (`network_mode`, Compose Specification).
const MODES: [&str; 2] = ["host", "none"];

fn check_name(name: &str) -> Result<(), NetworkError> {
    if MODES.contains(&name) {
        return Err(NetworkError::Mode { name: name.to_owned() });
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if starts_well && name.chars().all(allowed) {
        Ok(())
    } else {
        Err(NetworkError::InvalidName { name: name.to_owned() })
    }
}

/// Returns 64 random hexadecimal digits.
fn random_id() -> String {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("getrandom(2) waits for entropy and then cannot fail");
    hex::encode(bytes)
}

/// Returns the time in nanoseconds since 1970-01-01 UTC.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_docker_takes() {
        for name in ["web_default", "a", "0.x-y"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", "-a", ".", "..", "a b", "a/b", "ä", "host", "none"] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn ids_are_64_digits_and_differ() {
        assert_eq!(random_id().len(), 64);
        assert_ne!(random_id(), random_id());
    }
}
