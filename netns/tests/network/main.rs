//! A host's network as programs on it, in containers and beside it see it. Each test is a host of its own: a network and
//! a mount namespace, with a neighbour connected by a veth.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end, and say where")]

mod containers;
mod firewall;
mod forged;
mod lab;
mod names;
mod options;
mod ports;
mod reach;
mod resolvers;
mod sctp;
mod state;
mod subnets;
