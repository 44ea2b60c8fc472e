//! A second process in a running container.
use crate::cgroup::Cgroup;
use crate::launch::{LaunchError, Stdio};
use crate::process::ProcessRef;
use oci_spec::runtime::{Process, Spec};
use std::os::fd::OwnedFd;

/// What to run and where.
pub struct ExecRequest<'a> {
    /// The container's init.
    pub init: &'a ProcessRef,
    /// The container's cgroup.
    pub cgroup: &'a Cgroup,
    /// The container's spec.
    pub container: &'a Spec,
    /// The process to start.
    pub process: &'a Process,
    /// Its standard streams.
    pub stdio: Stdio,
}
/// A process started by [`exec`]: a child of the caller.
#[derive(Debug)]
pub struct Executed {
    /// Its pid.
    pub pid: i32,
    /// Its pidfd.
    pub pidfd: OwnedFd,
    /// The master side of its terminal.
    pub terminal: Option<OwnedFd>,
    /// Said once to the user.
    pub warnings: Vec<String>,
}
/// Runs a process in a container.
pub fn exec(request: ExecRequest<'_>) -> Result<Executed, LaunchError> {
    let _ = request;
    todo!()
}
