//! What is known of networks, leases and published ports: JSON files, readable with `cat`. Any process.
//!
//! ```text
//! ROOT/networks/<id>/network.json      a network, durable
//! ROOT/addresses/<container>.json      fixed addresses, kept for a container as long as there is one
//! RUN/networks/<id>/<container>.json   a lease: one container on one network; gone at reboot
//! RUN/networks/<id>/.addresses/<addr>  a link to the container that has it
//! RUN/ports/<container>.json           the published ports of a container; gone at reboot
//! RUN/leaving/<container>              a container that is about to give back what it has
//! RUN/teardown                         bridges and a firewall that nobody may need any more, and why they are still there
//! RUN/firewall.json                    the table of the firewall, as long as it may be loaded
//! RUN/network.lock                     held by whoever changes any of them, or the firewall
//! ```
//! Files appear and change by rename, so a reader needs no lock.

mod error;
mod file;
mod fixed;
mod lease;
mod leaving;
mod lock;
mod network;
mod port;

pub use error::StateError;
pub(crate) use file::{directory_names, read as read_run_file, remove_file, write_run_file};
pub(crate) use fixed::Fixed;
pub(crate) use lease::Lease;
#[cfg(test)]
pub(crate) use lease::tests;
pub(crate) use lock::Lock;
pub use lock::Spent;
pub(crate) use port::PortRecord;
