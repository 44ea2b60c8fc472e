//! `lighter rename`

use super::target;
use crate::context::Context;
use crate::error::Failure;

/// Give a container another name
#[derive(clap::Args)]
pub(crate) struct RenameArgs {
    /// Container, or service of the project in this folder
    container: String,
    /// Its new name
    name: String,
}

pub(crate) fn run(ctx: &Context, args: &RenameArgs) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    let container = target::find_one(ctx, &engine, &args.container)?;
    Ok(engine.rename(&container, args.name.strip_prefix('/').unwrap_or(&args.name))?)
}
