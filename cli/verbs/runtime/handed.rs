//! What a new process and its caller hand each other: options that `create`, `run` and `exec` share.

use std::path::{Path, PathBuf};

use crate::error::Failure;

/// What the new process and the caller hand each other
#[derive(Debug, clap::Args)]
pub(super) struct HandedArgs {
    /// Unix socket that receives the master side of its terminal
    #[arg(long, value_name = "SOCKET")]
    pub(super) console_socket: Option<PathBuf>,
    /// Unix socket that receives a pidfd of it
    #[arg(long, value_name = "SOCKET")]
    pub(super) pidfd_socket: Option<PathBuf>,
    /// File to write its pid to
    #[arg(long, value_name = "FILE")]
    pub(super) pid_file: Option<PathBuf>,
    /// Hand this many descriptors after standard error on to it
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) preserve_fds: u32,
}

impl HandedArgs {
    /// Returns how many descriptors are handed on, once it is certain that they are open.
    pub(super) fn preserved(&self) -> Result<u32, Failure> {
        let count = self.preserve_fds;
        let is_closed = |number: &u32| !Path::new(&format!("/proc/self/fd/{number}")).exists();
        match (3..count.saturating_add(3)).find(is_closed) {
            None => Ok(count),
            Some(number) => {
                Err(Failure::text(format!("hand descriptors on: --preserve-fds is {count}, but {number} is not open")))
            }
        }
    }
}
