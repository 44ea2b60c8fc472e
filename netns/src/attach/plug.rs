//! Connects a running container to one more network, and disconnects it from one. The command.

use std::os::fd::AsFd;
use std::path::Path;

use super::interface::{Interfaces, set_default_routes};
use super::{prepare_bridges, targets, udp_ports};
use crate::netlink::{Netlink, delete_link, forget_udp, unless_gone};
use crate::state::{Fixed, Lease, Lock};
use crate::{AttachError, Endpoint, EndpointSpec, Host, HostError, NetworkError, namespace};

impl Host {
    /// Connects a running container to one more network; returns what the user should know.
    ///
    /// `netns` is the path of its namespace. Fails without a trace.
    pub fn plug(&self, container: &str, netns: &Path, wish: &EndpointSpec) -> Result<Vec<String>, AttachError> {
        let lock = self.lock()?;
        let network = self.settled(&wish.network, &lock)?;
        let own = self.leases_of_container(container)?;
        if own.iter().any(|lease| lease.endpoint.network == network.id) {
            return Err(AttachError::TwiceOnNetwork { container: container.to_owned(), network: network.name });
        }
        let (lease, _) = self.write_new_lease(container, wish, (&network, &own), &lock)?;
        let all = self.leases_of_container(container)?;
        let plugged = || -> Result<Vec<String>, AttachError> {
            let publishes = self.retarget(container, &all, &lock)?;
            let notes = self.restore_firewall(&lock)?;
            self.forget_flows(container)?;
            let networks = [network];
            prepare_bridges(&networks, publishes)?;
            Interfaces { leases: std::slice::from_ref(&lease), networks: &networks, publishes }.create(netns, &all)?;
            Ok(notes)
        };
        let plugged = plugged();
        if plugged.is_err() {
            // The first failure says more than one that follows from it.
            let _ = self.pull(&lease, netns, &lock);
        }
        plugged
    }

    /// Disconnects a running container from a network; succeeds when it is not on it.
    pub fn unplug(&self, container: &str, netns: &Path, network: &str) -> Result<(), NetworkError> {
        let lock = self.lock()?;
        let leases = self.leases_of_container(container)?;
        match leases.iter().find(|lease| lease.endpoint.network == network) {
            Some(lease) => Ok(self.pull(lease, netns, &lock)?),
            None => Ok(()),
        }
    }

    /// Interfaces first: an address must not be given to another while one still answers to it.
    fn pull(&self, lease: &Lease, netns: &Path, lock: &Lock) -> Result<(), HostError> {
        let (container, interface) = (&lease.endpoint.container, &lease.endpoint.interface);
        let namespace = namespace::open(netns)?;
        let mut inside = namespace::inside(namespace.as_fd(), netns, Netlink::route)??;
        // By the end whose name nobody else can have given.
        unless_gone(match lease.is_bridged() {
            true => Netlink::route()?.send(&[delete_link(&lease.host_interface)]),
            false => inside.send(&[delete_link(interface)]),
        })?;
        self.remove_lease(lease, lock)?;
        let rest = self.leases_of_container(container)?;
        self.retarget(container, &rest, lock)?;
        self.restore_firewall(lock)?;
        self.forget_flows(container)?;
        Ok(set_default_routes(&mut inside, &rest)?)
    }

    /// Makes the kernel forget where datagrams to a container's ports went: it would lead them there as long as they come, whoever
    /// has the address by then.
    fn forget_flows(&self, container: &str) -> Result<(), HostError> {
        Ok(forget_udp(&udp_ports(self.ports_of_container(container)?.as_ref()))?)
    }

    /// Removes what a container has on networks of the host's own from its namespace at `netns`.
    pub fn remove_neighbours(&self, container: &str, netns: &Path) -> Result<(), NetworkError> {
        let leases = self.leases_of_container(container)?;
        let neighbours: Vec<_> = leases.iter().filter(|lease| !lease.is_bridged()).collect();
        if neighbours.is_empty() {
            return Ok(());
        }
        let failed = HostError::from;
        let namespace = namespace::open(netns).map_err(failed)?;
        let inside = namespace::inside(namespace.as_fd(), netns, Netlink::route).map_err(failed)?;
        let mut inside = inside.map_err(HostError::from)?;
        let removed = |lease: &&Lease| unless_gone(inside.send(&[delete_link(&lease.endpoint.interface)]));
        Ok(neighbours.iter().try_for_each(removed).map_err(HostError::from)?)
    }

    /// Leads a container's published ports to where it can be reached now; returns whether it has any.
    fn retarget(&self, container: &str, leases: &[Lease], lock: &Lock) -> Result<bool, HostError> {
        let Some(mut record) = self.ports_of_container(container)? else { return Ok(false) };
        let targets = targets(leases);
        if record.targets != targets {
            record.targets = targets;
            self.write_ports(&record, lock)?;
        }
        Ok(true)
    }

    /// Returns the interfaces of a container, in the order in which they were made, and the addresses its published ports lead
    /// to.
    pub fn plugs(&self, container: &str) -> Result<(Vec<Endpoint>, Vec<std::net::IpAddr>), NetworkError> {
        let leases = self.leases_of_container(container)?;
        let targets = targets(&leases);
        Ok((leases.into_iter().map(|lease| lease.endpoint).collect(), targets))
    }

    /// Keeps the fixed addresses of a container for it, whether it runs or not, until [`Host::forget_addresses`].
    pub fn keep_addresses(&self, container: &str, name: &str, wishes: &[EndpointSpec]) -> Result<(), NetworkError> {
        let addresses = wishes.iter().filter(|wish| !wish.addresses.is_empty());
        let addresses = addresses.map(|wish| (wish.network.clone(), wish.addresses.clone())).collect();
        let fixed = Fixed { container: container.to_owned(), name: name.to_owned(), addresses };
        let lock = self.lock()?;
        match fixed.addresses.is_empty() {
            true => Ok(self.remove_fixed(container, &lock)?),
            false => Ok(self.write_fixed(&fixed, &lock)?),
        }
    }

    /// Gives a container another name on its networks: `new` in the place of `old`.
    pub fn rename(&self, container: &str, old: &str, new: &str) -> Result<(), NetworkError> {
        let lock = self.lock()?;
        for mut lease in self.leases_of_container(container)? {
            lease.endpoint.names.iter_mut().filter(|name| *name == old).for_each(|name| *name = new.to_owned());
            self.write_lease(&lease, &lock)?;
        }
        let fixed = self.all_fixed()?.into_iter().find(|fixed| fixed.container == container);
        Ok(fixed
            .map(|fixed| self.write_fixed(&Fixed { name: new.to_owned(), ..fixed }, &lock))
            .transpose()
            .map(drop)?)
    }

    /// Gives the fixed addresses of containers up of which `is_there` knows nothing any more.
    pub fn forget_addresses(&self, is_there: impl Fn(&str) -> bool) -> Result<(), NetworkError> {
        let gone: Vec<_> = self.fixed_containers()?.into_iter().filter(|container| !is_there(container)).collect();
        if gone.is_empty() {
            return Ok(());
        }
        let lock = self.lock()?;
        Ok(gone.iter().try_for_each(|container| self.remove_fixed(container, &lock))?)
    }
}
