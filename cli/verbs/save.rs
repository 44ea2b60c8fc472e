//! `lighter save`

use std::path::PathBuf;

use lighter_engine::images::archive::{self, ArchiveFormat, SaveOptions};

use super::{image, output};
use crate::context::Context;
use crate::error::Failure;

/// Write images to an archive
#[derive(clap::Args)]
pub(crate) struct SaveArgs {
    /// Images, by name or id; a name without a tag means all its tags
    #[arg(required = true)]
    images: Vec<String>,
    /// File to write instead of stdout
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// `docker-archive`, which other engines load and which is an image layout too, or `oci-archive`, an image layout alone
    #[arg(long, default_value = "docker-archive", value_parser = ["docker-archive", "oci-archive"], hide_possible_values = true)]
    format: String,
    /// Only the images for this platform, where names stand for several: `linux/amd64`
    #[arg(long)]
    platform: Option<String>,
}

pub(crate) fn run(ctx: &Context, args: &SaveArgs) -> Result<(), Failure> {
    let engine = ctx.engine()?;
    let format = if args.format == "oci-archive" { ArchiveFormat::Oci } else { ArchiveFormat::Docker };
    let platform = args.platform.as_deref().map(str::parse).transpose()?;
    let options = SaveOptions { format, platform };
    output::write(args.output.as_deref(), |out| Ok(archive::save(engine.images(), &args.images, &options, out)?))?;
    args.images.iter().for_each(|name| image::tell(&engine, "save", (name, name)));
    Ok(())
}
