//! What the host itself can refuse, whichever network or container it was for. Any process.

use crate::ipam::IpamError;
use crate::netlink::NetlinkError;
use crate::sysctl::SysctlError;
use crate::{NamespaceError, StateError};

/// A refusal of the kernel or the file system.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A file of ours could not be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// A network namespace could not be made, entered or given up.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// A request over netlink failed.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// A switch below `/proc/sys/net` could not be set.
    #[error(transparent)]
    Sysctl(#[from] SysctlError),
    /// A device of somebody else has the name of the network's.
    #[error("use device `{name}`: it belongs to somebody else")]
    Device {
        /// Its name.
        name: String,
    },
    /// The host has come to use the network's subnet for something else.
    #[error(transparent)]
    Subnet(#[from] IpamError),
}

/// Returns the error and its causes, joined by `: `.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut texts: Vec<_> = causes.map(ToString::to_string).collect();
    texts.dedup(); // transparent errors say the same twice
    texts.join(": ")
}

/// Lets `?` turn each of these errors into an enum that has a variant for [`HostError`].
macro_rules! from_host_errors {
    ($enum:ty: $($error:ty),+) => {$(
        impl From<$error> for $enum {
            fn from(error: $error) -> Self {
                crate::HostError::from(error).into()
            }
        }
    )+};
}
pub(crate) use from_host_errors;
