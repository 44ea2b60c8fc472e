//! `lighter rm`

use lighter_engine::RemoveOptions;

use super::target;
use crate::context::Context;
use crate::error::Failure;

/// Remove containers
#[derive(clap::Args)]
pub(crate) struct RmArgs {
    /// Containers, or services of the project in this folder
    #[arg(required = true)]
    containers: Vec<String>,
    /// Kill a running container first
    #[arg(short, long)]
    force: bool,
    /// Remove its anonymous volumes too
    #[arg(short, long)]
    volumes: bool,
}

pub(crate) fn run(ctx: &Context, args: &RmArgs) -> Result<(), Failure> {
    let options = RemoveOptions { force: args.force, volumes: args.volumes };
    let engine = ctx.recovered_engine()?;
    target::each(ctx, &engine, &args.containers, |engine, one| Ok(engine.remove(one, options)?))
}
