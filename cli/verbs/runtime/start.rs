//! `lighter runtime start`

use super::{RuntimeContext, failed};
use crate::error::Failure;

/// Let the program of a created container run
#[derive(Debug, clap::Args)]
pub(super) struct StartArgs {
    /// Name of the container
    pub(super) id: String,
}

pub(super) fn run(ctx: &RuntimeContext, args: &StartArgs) -> Result<(), Failure> {
    ctx.root.start(&args.id).map_err(failed("start", &args.id))
}
