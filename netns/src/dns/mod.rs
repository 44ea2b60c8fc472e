//! The name server a container sees at 127.0.0.11. The monitor, which polls its descriptors in its own loop.
//!
//! ```text
//! inside the container's namespace          in the host's
//! program ─▶ 127.0.0.11:53 ─(nft)─▶ Server ─▶ our names: answered from the leases of the container's networks
//!                                          └▶ other names: asked of the servers the host uses now
//! ```
//! The sockets are made inside the container's namespace and used from outside. They have ports the kernel chose, and a
//! rule in that namespace leads port 53 there, so that a container may have a name server of its own on port 53.
//! Leases are files: a container that comes or goes is seen with the next question, and nothing has to be told or
//! restarted.

mod answer;
mod errand;
#[cfg(fuzzing)]
pub mod fuzz;
mod live;
mod redirect;
mod resolv_conf;
mod server;
mod stream;
mod wire;
mod zone;

pub use redirect::ADDRESS;
pub use resolv_conf::Upstream;
pub(crate) use resolv_conf::nameservers;
pub use server::{DnsError, Names, Server};
