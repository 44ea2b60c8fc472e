//! `lighter compose stats`

use super::select;
use crate::args::ProjectArgs;
use crate::context::Context;
use crate::error::Failure;
use crate::verbs::stats::{self, StatsFlags};

/// Show what the project's containers use
#[derive(clap::Args)]
pub(crate) struct StatsArgs {
    /// Services (default: all)
    services: Vec<String>,
    #[command(flatten)]
    flags: StatsFlags,
}

pub(crate) fn run(ctx: &Context, project: &ProjectArgs, args: &StatsArgs) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    let name = super::project_name(ctx, project)?;
    stats::show(ctx, &engine, &args.flags, || select::containers(&engine, &name, &args.services))
}
