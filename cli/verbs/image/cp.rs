//! `lighter image cp`

use std::path::PathBuf;

use crate::context::Context;
use crate::error::Failure;

/// Copy a file or folder out of an image
#[derive(clap::Args)]
pub(crate) struct CpArgs {
    /// Image and path in it: `redis:7:/etc/passwd`
    #[arg(value_name = "IMAGE:PATH")]
    source: String,
    /// Where to: an existing folder, or the copy's new name
    destination: PathBuf,
}

pub(crate) fn run(ctx: &Context, args: &CpArgs) -> Result<(), Failure> {
    let engine = ctx.engine()?;
    let malformed =
        || Failure::text(format!("`{}`: use IMAGE:/PATH, with the path from the image's root", args.source));
    // The first `:/`: the colons of a registry's port and of a tag are followed by something else, and paths have any.
    let (name, path) = args.source.split_once(":/").filter(|(name, _)| !name.is_empty()).ok_or_else(malformed)?;
    let image = engine.images().find(name)?.ok_or_else(|| super::no_such(name))?;
    let destination = ctx.invocation.working_directory.join(&args.destination);
    Ok(engine.copy_from_image(&image, path, &destination)?)
}
