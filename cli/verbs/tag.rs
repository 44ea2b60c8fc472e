//! `lighter tag`

use crate::context::Context;
use crate::error::Failure;

/// Give an image a further name
#[derive(clap::Args)]
pub(crate) struct TagArgs {
    /// The image, by name or id
    image: String,
    /// The name: `team/app:1.2`
    name: String,
}

pub(crate) fn run(ctx: &Context, args: &TagArgs) -> Result<(), Failure> {
    let name = args.name.parse()?;
    ctx.engine()?.images().tag(&args.image, &name)?;
    Ok(())
}
