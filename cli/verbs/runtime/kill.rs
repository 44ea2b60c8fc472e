//! `lighter runtime kill`

use lighter_engine::signal;

use super::{RuntimeContext, failed};
use crate::error::Failure;

/// Send a signal to a container
#[derive(Debug, clap::Args)]
pub(super) struct KillArgs {
    /// To all processes of the container, not its first alone
    #[arg(short, long)]
    pub(super) all: bool,
    /// Name of the container
    pub(super) id: String,
    /// Signal by name or number; 0 only asks whether the container could be sent one
    #[arg(default_value = "SIGTERM")]
    pub(super) signal: String,
}

pub(super) fn run(ctx: &RuntimeContext, args: &KillArgs) -> Result<(), Failure> {
    let signal = if args.signal == "0" { 0 } else { signal::parse(&args.signal)? };
    ctx.root.kill(&args.id, signal, args.all).map_err(failed("kill", &args.id))
}
