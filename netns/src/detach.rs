//! Undoes what `attach` and `create_namespace` did. The command or the monitor.

use std::fmt;

use crate::attach::udp_ports;
use crate::failure::chain;
use crate::firewall::Content;
use crate::netlink::{Netlink, NetlinkError, delete_link, disable_port, forget_udp, unless_gone};
use crate::state::{Lease, PortRecord, Spent};
use crate::{Host, HostError};

/// What of a container's network could not be undone. The rest was.
#[derive(Debug)]
pub struct DetachError {
    /// The container.
    pub container: String,
    /// Every failure, in the order of the steps.
    pub failures: Vec<HostError>,
}

impl fmt::Display for DetachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // There is no single source for the edge to print, so the chain of each failure is written here.
        let failures: Vec<_> = self.failures.iter().map(|failure| chain(failure)).collect();
        write!(f, "detach container `{}`: {}", self.container, failures.join("; "))
    }
}

impl std::error::Error for DetachError {}

/// Failures of a teardown that goes on whatever happens.
#[derive(Debug)]
pub(crate) struct Failures(DetachError);

impl Failures {
    pub(crate) fn of(container: &str) -> Failures {
        Failures(DetachError { container: container.to_owned(), failures: Vec::new() })
    }

    /// Notes a failure; returns the value otherwise.
    fn note<T, E: Into<HostError>>(&mut self, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.0.failures.push(error.into())).ok()
    }

    pub(crate) fn into_result(self) -> Result<(), DetachError> {
        if self.0.failures.is_empty() { Ok(()) } else { Err(self.0) }
    }
}

impl Host {
    /// Gives back all a container has here: interfaces, leases, published ports and its namespace.
    ///
    /// Goes on when a step fails and returns every failure; what is already gone is none. With the last container of the
    /// host the firewall goes too. What is returned is to be dropped when nobody waits.
    pub fn detach(&self, container: &str) -> Result<Spent, DetachError> {
        let mut failures = Failures::of(container);
        let spent = self.release(container, &mut failures);
        failures.note(self.delete_namespace(container));
        failures.into_result().map(|()| spent)
    }

    /// Removes the interfaces of a container on bridges, for which the kernel has the caller wait, and not only takes them off the
    /// traffic as [`Host::detach`] does.
    pub fn delete_interfaces(&self, container: &str) -> Result<(), HostError> {
        let leases = self.leases_of_container(container)?;
        let mut netlink = Netlink::route()?;
        let delete = |lease: &Lease| unless_gone(netlink.send(&[delete_link(&lease.host_interface)]));
        Ok(leases.iter().filter(|lease| lease.is_bridged()).try_for_each(delete)?)
    }

    /// Gives back everything but the namespace.
    pub(crate) fn release(&self, container: &str, failures: &mut Failures) -> Spent {
        let leases = failures.note(self.leases_of_container(container)).unwrap_or_default();
        let ports = failures.note(self.ports_of_container(container)).flatten();
        if leases.is_empty() && ports.is_none() {
            return Spent::default();
        }
        // Interfaces first: an address must not be given to another while one still answers to it, and rules must not go
        // while there is something they keep in.
        failures.note(disable_ports(&leases));
        let spent = self.forget(container, failures);
        failures.note(forget_udp(&udp_ports(ports.as_ref())));
        spent
    }

    /// Returns whether a network has a container; one that cannot be read is taken to have.
    fn has_containers(&self, network: &str) -> bool {
        self.containers_of_network(network).map_or(true, |containers| !containers.is_empty())
    }

    /// Removes leases and ports of a container, and of all others that have come to this by the time it has the lock.
    fn forget(&self, container: &str, failures: &mut Failures) -> Spent {
        // Unheard, it has its turn all the same.
        let _ = self.ask_to_leave(container);
        let Some(lock) = failures.note(self.lock()) else { return Spent::default() };
        let leaving = failures.note(self.take_leaving(container, &lock));
        let leaving = leaving.unwrap_or_else(|| vec![container.to_owned()]);
        let (leases, ports) = self.belongings(&leaving, failures);
        if leases.is_empty() && ports.is_empty() {
            return lock.release(); // somebody else's turn it was
        }
        failures.note(self.owe_teardown(&lock)); // before the last lease goes, after which nobody would know
        for lease in &leases {
            failures.note(self.remove_lease(lease, &lock));
        }
        for record in &ports {
            failures.note(self.remove_ports(&record.container, &lock));
        }
        let used =
            leases.iter().filter(|lease| self.has_containers(&lease.endpoint.network)).map(|lease| &*lease.bridge);
        failures.note(self.dismiss(Content::of(&leases, &ports), &used.collect::<Vec<_>>(), &lock));
        lock.release()
    }

    fn belongings(&self, containers: &[String], failures: &mut Failures) -> (Vec<Lease>, Vec<PortRecord>) {
        let (mut leases, mut ports) = (Vec::new(), Vec::new());
        for container in containers {
            leases.extend(failures.note(self.leases_of_container(container)).into_iter().flatten());
            ports.extend(failures.note(self.ports_of_container(container)).flatten());
        }
        (leases, ports)
    }
}

/// Takes the interfaces off their bridges' traffic. The devices themselves go with the namespace, which takes the kernel some
/// 10–50 ms that nobody waits for; where something else keeps the namespace, they stay with it, and nothing passes them.
fn disable_ports(leases: &[Lease]) -> Result<(), NetlinkError> {
    let bridged = leases.iter().filter(|lease| lease.is_bridged());
    let requests: Vec<_> = bridged.map(|lease| disable_port(&lease.host_interface)).collect();
    let refusals = Netlink::route()?.send_each(&requests)?;
    refusals.into_iter().try_for_each(|(_, refusal)| unless_gone(Err(refusal)))
}
