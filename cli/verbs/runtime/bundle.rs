//! Options that `create` and `run` share.

use std::path::PathBuf;

use lighter_engine::runtime::oci::CreateOptions;

use super::RuntimeContext;
use super::handed::HandedArgs;
use crate::error::Failure;

/// Where the container comes from and what it gets from the caller
#[derive(Debug, clap::Args)]
pub(super) struct BundleArgs {
    /// Directory with `config.json`
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    pub(super) bundle: PathBuf,
    #[command(flatten)]
    pub(super) handed: HandedArgs,
    /// Move the root filesystem instead of pivoting into it: for a host that runs from an initramfs
    #[arg(long)]
    pub(super) no_pivot: bool,
    /// Share the caller's session keyring
    #[arg(long)]
    pub(super) no_new_keyring: bool,
}

impl BundleArgs {
    pub(super) fn options(&self, ctx: &RuntimeContext) -> Result<CreateOptions, Failure> {
        Ok(CreateOptions {
            bundle: self.bundle.clone(),
            console_socket: self.handed.console_socket.clone(),
            pidfd_socket: self.handed.pidfd_socket.clone(),
            pid_file: self.handed.pid_file.clone(),
            no_pivot: self.no_pivot,
            no_new_keyring: self.no_new_keyring,
            preserve_fds: self.handed.preserved()?,
            driver: ctx.driver,
        })
    }
}
