//! Undoes what `attach` and `create_namespace` did. The command or the monitor.

use std::fmt;

use crate::attach::udp_ports;
use crate::firewall::Content;
use crate::netlink::{Netlink, NetlinkError, disable_port, forget_udp, unless_gone};
use crate::state::{Lease, PortRecord};
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
        let chain = |failure: &HostError| {
            let chain = std::iter::successors(Some(failure as &dyn std::error::Error), |error| error.source());
            chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
        };
        let failures: Vec<_> = self.failures.iter().map(chain).collect();
        write!(f, "detach container `{}`: {}", self.container, failures.join("; "))
    }
}

impl std::error::Error for DetachError {}

/// Failures of a teardown that goes on whatever happens.
#[derive(Debug)]
pub(crate) struct Failures(DetachError);

impl Failures {
    fn of(container: &str) -> Failures {
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
    /// host the firewall goes too.
    pub fn detach(&self, container: &str) -> Result<(), DetachError> {
        let mut failures = self.release(container);
        failures.note(self.delete_namespace(container));
        failures.into_result()
    }

    /// Gives back everything but the namespace.
    pub(crate) fn release(&self, container: &str) -> Failures {
        let mut failures = Failures::of(container);
        let leases = failures.note(self.leases_of_container(container)).unwrap_or_default();
        let ports = failures.note(self.ports_of_container(container)).flatten();
        if leases.is_empty() && ports.is_none() {
            return failures;
        }
        // Interfaces first: an address must not be given to another while one still answers to it, and rules must not go
        // while there is something they keep in.
        failures.note(disable_ports(&leases));
        self.forget(container, (&leases, ports.as_ref()), &mut failures);
        failures.note(forget_udp(&udp_ports(ports.as_ref())));
        failures
    }

    /// Returns whether a network has a container; one that cannot be read is taken to have.
    fn is_used(&self, network: &str) -> bool {
        self.containers_of_network(network).map_or(true, |containers| !containers.is_empty())
    }

    fn forget(&self, container: &str, (leases, ports): (&[Lease], Option<&PortRecord>), failures: &mut Failures) {
        let Some(lock) = failures.note(self.lock()) else { return };
        for lease in leases {
            failures.note(self.remove_lease(lease, &lock));
        }
        failures.note(self.remove_ports(container, &lock));
        let old = Content::of(leases, ports.map(std::slice::from_ref).unwrap_or_default());
        let used = leases.iter().filter(|lease| self.is_used(&lease.endpoint.network)).map(|lease| &*lease.bridge);
        failures.note(self.dismiss(old, &used.collect::<Vec<_>>(), &lock));
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
