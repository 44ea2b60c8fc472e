//! What scenarios are made of. Everything here runs in the thread of the test that uses it.

mod command;
mod containers;
mod dns;
mod eventually;
mod fault_proxy;
mod footprint;
mod http;
mod lan;
mod machine;
mod namespaces;
mod processes;
mod pty;
mod registry;
mod scenario;
mod server;
mod sys;
mod tls;
mod token_server;
mod tree;
mod uplink;

pub(crate) use command::{Output, Running, run, tool};
pub(crate) use containers::Container;
pub(crate) use dns::{ANSWER, Resolver};
pub(crate) use eventually::{eventually, patient};
pub(crate) use fault_proxy::{Fault, FaultProxy};
pub(crate) use http::{get, seconds};
pub(crate) use lan::{HOST, Lan};
pub(crate) use machine::Machine;
pub(crate) use pty::Terminal;
pub(crate) use registry::{Registry, corrupted};
pub(crate) use scenario::Scenario;
pub(crate) use server::Server;
pub(crate) use tls::Authority;
pub(crate) use token_server::TokenServer;
pub(crate) use tree::Tree;
pub(crate) use uplink::Uplink;
