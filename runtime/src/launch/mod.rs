//! Launch.
use crate::cgroup::Cgroup;
use oci_spec::runtime::Spec;
use std::os::fd::OwnedFd;
use std::path::Path;
/// A container to be.
pub struct Launch<'a> {
    /// Identity.
    pub id: &'a str,
    /// OCI spec.
    pub spec: &'a Spec,
    /// Where relative paths of the spec start.
    pub bundle: &'a Path,
    /// Standard streams.
    pub stdio: Stdio,
}
/// Standard streams.
#[derive(Debug)]
pub enum Stdio {
    /// The caller's own.
    Inherit,
    /// These.
    Fds {
        /// fd 0
        stdin: OwnedFd,
        /// fd 1
        stdout: OwnedFd,
        /// fd 2
        stderr: OwnedFd,
    },
    /// A pty from the container's devpts.
    Terminal {
        /// characters
        rows: u16,
        /// characters
        cols: u16,
    },
}
/// Why not.
#[derive(Debug, thiserror::Error)]
#[error("launch")]
pub enum LaunchError {}
impl LaunchError {
    /// 127 command not found, 126 cannot be invoked, 125 the rest.
    pub fn exit_code(&self) -> i32 {
        todo!()
    }
}
/// Waits before execve.
#[derive(Debug)]
pub struct Created {
    /// init
    pub init: Init,
    /// pty master
    pub terminal: Option<OwnedFd>,
    /// said once
    pub warnings: Vec<String>,
}
/// A container's init.
#[derive(Debug)]
pub struct Init {
    /// pid
    pub pid: i32,
    /// /proc/PID/stat field 22
    pub start_time: u64,
    /// pidfd
    pub pidfd: OwnedFd,
    /// cgroup
    pub cgroup: Cgroup,
}
/// Creates.
pub fn create(launch: Launch<'_>) -> Result<Created, LaunchError> {
    let _ = launch;
    todo!()
}
impl Created {
    /// Starts.
    pub fn start(self) -> Result<Init, LaunchError> {
        todo!()
    }
}
