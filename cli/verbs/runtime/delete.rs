//! `lighter runtime delete`

use super::{RuntimeContext, failed};
use crate::error::Failure;

/// Remove a stopped container
#[derive(Debug, clap::Args)]
pub(super) struct DeleteArgs {
    /// Kill it first if it runs; a container that does not exist is no error
    #[arg(short, long)]
    pub(super) force: bool,
    /// Name of the container
    pub(super) id: String,
}

pub(super) fn run(ctx: &RuntimeContext, args: &DeleteArgs) -> Result<(), Failure> {
    let warnings = ctx.root.delete(&args.id, args.force).map_err(failed("delete", &args.id))?;
    ctx.warn_all(&warnings);
    Ok(())
}
