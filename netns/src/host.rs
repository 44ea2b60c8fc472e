//! The network of one host, as everything else of this crate sees it. Any process.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::netlink::Netlink;
use crate::{NetworkError, Pool, Settings, StateError, bridge};

/// The networks, leases, published ports and firewall that belong to one root and run directory.
///
/// Holds no state of its own: everything is read from files and from the kernel when it is asked for, so any number of
/// processes can work on the same host.
#[derive(Clone, Debug)]
pub struct Host {
    root: PathBuf,
    run: PathBuf,
    settings: Settings,
}

impl Host {
    /// Names the directories: `root` outlives a reboot, `run` does not. Touches neither.
    pub fn new(root: &Path, run: &Path) -> Host {
        Host { root: root.to_owned(), run: run.to_owned(), settings: Settings::default() }
    }

    /// Applies what the owner has decided.
    #[must_use]
    pub fn with_settings(self, settings: Settings) -> Host {
        Host { settings, ..self }
    }

    /// Returns what the owner has decided.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn pools(&self) -> Vec<Pool> {
        self.settings.pools.clone()
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn run(&self) -> &Path {
        &self.run
    }

    /// Returns the ids of the containers that have anything here: a lease, a published port or a namespace. What cannot
    /// be read is left out.
    pub fn live_containers(&self) -> Vec<String> {
        let lists = [self.leased_containers(), self.publishing_containers(), self.namespaced_containers()];
        let containers: BTreeSet<_> = lists.into_iter().flatten().flatten().collect();
        containers.into_iter().collect()
    }

    /// Returns whether this container is one of them.
    pub fn is_live(&self, container: &str) -> bool {
        self.leased_networks().is_ok_and(|networks| networks.iter().any(|id| self.lease(id, container).exists()))
            || self.port_record(container).exists()
            || self.namespace(container).exists()
    }

    /// Brings the kernel in line with the files: the bridges of networks with containers, and the firewall, which
    /// somebody may have flushed; returns what the user should know. Changes nothing when all is well.
    pub fn reconcile(&self) -> Result<Vec<String>, NetworkError> {
        let lock = self.lock()?;
        let notes = self.restore_firewall(&lock)?;
        let mut netlink = Netlink::route()?;
        for id in self.leased_networks()? {
            if let Some(network) = self.read_network(&id)?
                && !self.leases_of_network(&id)?.is_empty()
            {
                bridge::ensure(&mut netlink, &network)?;
                bridge::turn_on(&mut netlink, &[network])?;
            }
        }
        Ok(notes)
    }

    /// Returns whether a container has an address or a port.
    pub fn is_used(&self) -> Result<bool, StateError> {
        Ok(!self.leased_containers()?.is_empty() || !self.publishing_containers()?.is_empty())
    }
}
