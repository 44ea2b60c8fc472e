//! Talks to the kernel over netlink(7): one blocking socket per family, requests sent in batches, the kernel's own error
//! texts kept. Any process; a socket belongs for good to the network namespace it was opened in.

mod address;
mod attribute;
mod conntrack;
mod error;
mod link;
mod message;
mod route;
mod socket;

pub(crate) use address::{HostAddress, add_address, addresses};
pub(crate) use attribute::{Attributes, attributes};
pub(crate) use conntrack::forget_udp;
pub use error::NetlinkError;
pub(crate) use error::unless_gone;
pub(crate) use link::{
    Link, Neighbour, Port, Veth, create_bridge, create_neighbour, create_veth, delete_link, disable_port,
    forbid_link_local, link, links, set_port_up, set_up,
};
pub(crate) use message::Message;
pub(crate) use route::{routes, set_default_route};
pub(crate) use socket::Netlink;
