//! The network of one host: bridges, veths, addresses, firewall and names, without any other program's help.
//!
//! ```text
//! create_network ─▶ record, bridge                                     RUN: files that say who has what
//! create_namespace ─▶ RUN/netns/<container>                            (leases, published ports)
//! attach ─▶ leases, ports ─▶ firewall ─▶ bridge ─▶ veths ─▶ addresses  any process can read and undo them
//! dns::Server ─▶ 127.0.0.11 inside, reads the leases
//! detach, delete_network ─▶ nothing left
//! ```
//! The command and the monitors call into this crate; nothing runs between the calls. Files are the truth about what was
//! given to whom, the kernel is the truth about what is there, and [`Host::reconcile`] brings the second in line with the
//! first. Only [`dns::Server`] lives on, inside the monitor's event loop.

mod attach;
mod bridge;
mod commands;
mod connect;
mod create;
mod detach;
pub mod dns;
mod endpoint_options;
mod failure;
mod firewall;
mod host;
mod ipam;
mod namespace;
mod netlink;
mod network;
mod nftables;
mod options;
mod pools;
mod ports;
mod relay;
mod sandbox;
mod settings;
mod state;
mod subnets;
mod sys;
mod sysctl;
mod teardown;
mod xtables;

pub use attach::AttachError;
pub use commands::Command;
pub use create::NetworkError;
pub use detach::DetachError;
pub use endpoint_options::{EndpointOptions, InterfaceSysctl, read_endpoint_options};
pub use failure::HostError;
pub use host::Host;
pub use ipam::{Held, IpamError};
pub use namespace::NamespaceError;
pub use netlink::NetlinkError;
pub use network::{Driver, Families, Network, NetworkSpec, Range, RangeSpec};
pub use options::{OptionError, check_option};
pub use pools::{Pool, PoolError};
pub use ports::{Holder, PortError};
pub use relay::Relay;
pub use sandbox::{Address, BoundPort, Endpoint, EndpointSpec, Protocol, PublishedPort, Sandbox, SandboxSpec};
pub use settings::{Publish, Settings, SettingsError};
pub use state::{Spent, StateError};
pub use sysctl::SysctlError;
