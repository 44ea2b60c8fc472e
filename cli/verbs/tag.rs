//! `lighter tag`

use super::image;
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
    let engine = ctx.engine()?;
    engine.images().tag(&args.image, &name)?;
    let id = engine.images().find(&args.name)?.map(|image| image.id.to_string()).unwrap_or_default();
    image::tell(&engine, "tag", (&id, &args.name));
    Ok(())
}
