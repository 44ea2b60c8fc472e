//! Options that `create` and `run` share.

use std::path::PathBuf;

use lighter_engine::runtime::oci::CreateOptions;

use super::RuntimeContext;
use crate::error::Failure;

/// Where the container comes from and what it gets from the caller
#[derive(clap::Args)]
pub(super) struct BundleArgs {
    /// Directory with `config.json`
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    bundle: PathBuf,
    /// Unix socket that receives the master side of the container's terminal
    #[arg(long, value_name = "SOCKET")]
    console_socket: Option<PathBuf>,
    /// File to write the pid of the container's first process to
    #[arg(long, value_name = "FILE")]
    pid_file: Option<PathBuf>,
    /// Move the root filesystem instead of pivoting into it: for a host that runs from an initramfs
    #[arg(long)]
    no_pivot: bool,
    /// Share the caller's session keyring
    #[arg(long)]
    no_new_keyring: bool,
    /// Hand this many descriptors after standard error on to the container
    #[arg(long, value_name = "N", default_value_t = 0)]
    preserve_fds: u32,
}

impl BundleArgs {
    pub(super) fn options(&self, ctx: &RuntimeContext) -> Result<CreateOptions, Failure> {
        Ok(CreateOptions {
            bundle: self.bundle.clone(),
            console_socket: self.console_socket.clone(),
            pid_file: self.pid_file.clone(),
            no_pivot: self.no_pivot,
            no_new_keyring: self.no_new_keyring,
            preserve_fds: preserved(self.preserve_fds)?,
            driver: ctx.driver,
        })
    }
}

/// Checks that the descriptors to hand on are open.
pub(super) fn preserved(count: u32) -> Result<u32, Failure> {
    let closed = (3..3 + count).find(|number| {
        let path = format!("/proc/self/fd/{number}");
        !std::path::Path::new(&path).exists()
    });
    match closed {
        None => Ok(count),
        Some(number) => {
            Err(Failure::text(format!("hand descriptors on: --preserve-fds is {count}, but {number} is not open")))
        }
    }
}
