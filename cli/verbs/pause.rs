//! `lighter pause`

use super::target;
use crate::context::Context;
use crate::error::Failure;

/// Freeze containers where they are
#[derive(clap::Args)]
pub(crate) struct PauseArgs {
    /// Containers, or services of the project in this folder
    #[arg(required = true)]
    containers: Vec<String>,
}

pub(crate) fn run(ctx: &Context, args: &PauseArgs) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    target::each(ctx, &engine, &args.containers, |engine, one| Ok(engine.pause(one)?))
}
