//! `lighter runtime resume`

use super::{RuntimeContext, failed};
use crate::error::Failure;

/// Let the processes of a paused container go on
#[derive(Debug, clap::Args)]
pub(super) struct ResumeArgs {
    /// Name of the container
    id: String,
}

pub(super) fn run(ctx: &RuntimeContext, args: &ResumeArgs) -> Result<(), Failure> {
    ctx.root.resume(&args.id).map_err(failed("resume", &args.id))
}
