//! The network of one host.
#![allow(missing_docs, clippy::all, dead_code, unused)]
pub mod dns;
mod host;
mod network;
mod sandbox;
mod netlink; mod nftables; mod sys;
pub use network::*;
pub use sandbox::*;
