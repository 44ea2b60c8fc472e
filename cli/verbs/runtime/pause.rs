//! `lighter runtime pause`

use super::{RuntimeContext, failed};
use crate::error::Failure;

/// Freeze the processes of a container
#[derive(Debug, clap::Args)]
pub(super) struct PauseArgs {
    /// Name of the container
    id: String,
}

pub(super) fn run(ctx: &RuntimeContext, args: &PauseArgs) -> Result<(), Failure> {
    ctx.root.pause(&args.id).map_err(failed("pause", &args.id))
}
