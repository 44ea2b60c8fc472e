//! dns
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;
use nix::poll::PollFlags;
use crate::Host;

/// Where names that are not ours are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// The servers this resolv.conf(5) names at the moment of the question.
    ResolvConf(PathBuf),
    /// These servers.
    Servers(Vec<SocketAddr>),
}
/// .
#[derive(Debug, thiserror::Error)]
#[error("dns")]
pub struct DnsError;
/// .
#[derive(Debug)]
pub struct Server;
impl Server {
    /// .
    pub fn start(_host: &Host, _container: &str, _netns: &Path, _networks: &[String], _upstream: Upstream) -> Result<Server, DnsError> { todo!() }
    /// .
    pub fn fds(&self) -> Vec<(BorrowedFd<'_>, PollFlags)> { todo!() }
    /// .
    pub fn timeout(&self) -> Option<Duration> { todo!() }
    /// .
    pub fn handle(&mut self) { todo!() }
}
