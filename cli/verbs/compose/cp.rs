//! `lighter compose cp`

use super::select;
use crate::args::ProjectArgs;
use crate::context::Context;
use crate::error::Failure;
use crate::verbs::cp::{self, CpFlags};

/// Copy files and folders between a service's containers and the host
#[derive(clap::Args)]
pub(crate) struct CpArgs {
    #[command(flatten)]
    pub(crate) flags: CpFlags,
    /// Number of the replica (default: the first to copy from, all to copy to)
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    index: u32,
    /// Into containers made by `compose run` too
    #[arg(long)]
    all: bool,
}

pub(crate) fn run(ctx: &Context, project: &ProjectArgs, args: &CpArgs) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    let name = super::project_name(ctx, project)?;
    cp::copy(ctx, &engine, &args.flags, |service, is_into| match is_into && args.index == 0 {
        true if args.all => select::all_containers(&engine, &name, service),
        true => select::containers(&engine, &name, &[service.to_owned()]),
        false => Ok(vec![select::replica(&engine, &name, service, args.index)?]),
    })
}
