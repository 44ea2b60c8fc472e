//! `lighter load`

use std::fs::File;
use std::io::{self, IsTerminal};
use std::path::PathBuf;

use lighter_engine::images::archive::{self, Input, LoadOptions};

use super::image;
use crate::context::Context;
use crate::error::Failure;
use crate::ui::progress::{self, ProgressArgs};

/// Take images from an archive: docker's or an image layout, plain, gzip or zstd
#[derive(clap::Args)]
pub(crate) struct LoadArgs {
    /// File to read instead of stdin
    #[arg(short, long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// Only the images for this platform, where names stand for several: `linux/arm64`
    #[arg(long)]
    platform: Option<String>,
    #[command(flatten)]
    progress: ProgressArgs,
}

pub(crate) fn run(ctx: &Context, args: &LoadArgs) -> Result<(), Failure> {
    let platform = args.platform.as_deref().map(str::parse).transpose()?;
    let input = input(args)?;
    let engine = ctx.engine()?;
    let progress = progress::of(args.progress.style(ctx)?, ctx.ui.interactive);
    let loaded = archive::load(engine.images(), input, &LoadOptions { platform }, progress.as_ref())?;
    drop(progress);
    for one in &loaded {
        image::tell(&engine, "load", (one.image.id.as_str(), &one.image.name()));
        one.names.iter().try_for_each(|name| ctx.ui.line(format!("Loaded image: {}", name.familiar())))?;
        if one.names.is_empty() {
            ctx.ui.line(format!("Loaded image ID: {}", one.image.id))?;
        }
    }
    Ok(())
}

fn input(args: &LoadArgs) -> Result<Input, Failure> {
    match &args.input {
        Some(path) => {
            let file = File::open(path);
            Ok(Input::File(file.map_err(|error| Failure::text(format!("open `{}`: {error}", path.display())))?))
        }
        None if io::stdin().is_terminal() => Err(Failure::text("there is no archive to read: use -i FILE, or a pipe")),
        None => {
            let stdin = nix::unistd::dup(io::stdin()).map_err(io::Error::from);
            Ok(Input::File(stdin.map_err(|error| Failure::text(format!("open stdin: {error}")))?.into()))
        }
    }
}
