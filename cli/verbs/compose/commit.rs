//! `lighter compose commit`

use super::select;
use crate::args::ProjectArgs;
use crate::context::Context;
use crate::error::Failure;
use crate::verbs::commit::CommitFlags;

/// Make an image of a service's container and what it has changed
#[derive(clap::Args)]
pub(crate) struct CommitArgs {
    /// Service
    service: String,
    #[command(flatten)]
    flags: CommitFlags,
    /// Number of the replica
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    index: u32,
}

pub(crate) fn run(ctx: &Context, project: &ProjectArgs, args: &CommitArgs) -> Result<(), Failure> {
    let options = args.flags.options()?;
    let engine = ctx.recovered_engine()?;
    let name = super::project_name(ctx, project)?;
    let container = select::replica(&engine, &name, &args.service, args.index)?;
    ctx.ui.line(engine.commit(&container, &options)?.id.as_str())
}
