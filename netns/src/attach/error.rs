//! Why a container could not be connected. The command or the monitor.

use crate::failure::from_host_errors;
use crate::ipam::IpamError;
use crate::netlink::NetlinkError;
use crate::ports::PortError;
use crate::sysctl::SysctlError;
use crate::{DetachError, HostError, NamespaceError, NetworkError, StateError};

/// Why a container could not be connected.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// The container's id cannot name a file.
    #[error("attach container `{container}`: that is no container id")]
    NotAnId {
        /// What was given.
        container: String,
    },
    /// The container is connected.
    #[error("attach container `{container}`: it is attached")]
    AlreadyAttached {
        /// The container.
        container: String,
    },
    /// There is no such network.
    #[error("attach to network `{network}`: there is no such network")]
    NoSuchNetwork {
        /// Id or name of the network.
        network: String,
    },
    /// A container has at most one interface on a network.
    #[error("attach container `{container}`: it is twice on network `{network}`")]
    TwiceOnNetwork {
        /// The container.
        container: String,
        /// Name of the network.
        network: String,
    },
    /// A container has another interface of that name.
    #[error("attach container `{container}`: it has an interface `{interface}`")]
    InterfaceTaken {
        /// The container.
        container: String,
        /// The wished name.
        interface: String,
    },
    /// A port could not be published.
    #[error(transparent)]
    Port(#[from] PortError),
    /// No address could be chosen on a network.
    #[error("attach to network `{network}`")]
    Address {
        /// Name of the network.
        network: String,
        /// The cause.
        source: IpamError,
    },
    /// A network could not be given other subnets.
    #[error("choose other subnets for network `{name}`")]
    Network {
        /// Name of the network.
        name: String,
        /// The cause.
        source: Box<NetworkError>,
    },
    /// The host would not be set up for it.
    #[error(transparent)]
    Host(#[from] HostError),
    /// Something failed, and so did undoing what was done until then; [`crate::Host::detach`] tries again.
    #[error("{cause}; and then {rest}")]
    Leftover {
        /// What failed first.
        cause: Box<AttachError>,
        /// What is still there.
        rest: DetachError,
    },
}

from_host_errors!(AttachError: StateError, NamespaceError, NetlinkError, SysctlError);
