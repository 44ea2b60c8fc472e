//! `lighter runtime state`

use super::{RuntimeContext, failed};
use crate::error::Failure;

/// Print the state of a container as JSON
#[derive(Debug, clap::Args)]
pub(super) struct StateArgs {
    /// Name of the container
    pub(super) id: String,
}

pub(super) fn run(ctx: &RuntimeContext, args: &StateArgs) -> Result<(), Failure> {
    let container = ctx.root.open(&args.id).map_err(failed("look at", &args.id))?;
    ctx.print(&format!("{}\n", serde_json::to_string_pretty(&container.state())?))
}
