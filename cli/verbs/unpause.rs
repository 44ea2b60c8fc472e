//! `lighter unpause`

use super::target;
use crate::context::Context;
use crate::error::Failure;

/// Let frozen containers go on
#[derive(clap::Args)]
pub(crate) struct UnpauseArgs {
    /// Containers, or services of the project in this folder
    #[arg(required = true)]
    containers: Vec<String>,
}

pub(crate) fn run(ctx: &Context, args: &UnpauseArgs) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    target::each(ctx, &engine, &args.containers, |engine, one| Ok(engine.unpause(one)?))
}
