//! `lighter create`

use super::run::RunFlags;
use crate::context::Context;
use crate::error::Failure;

/// Make a container without starting it
#[derive(clap::Args)]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    flags: RunFlags,
}

pub(crate) fn run(ctx: &Context, args: &CreateArgs) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    let container = super::run::create(ctx, &engine, &args.flags)?;
    ctx.ui.line(container.id)
}
