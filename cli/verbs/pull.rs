//! `lighter pull`

use lighter_engine::images::pull::{self, PullOptions};
use lighter_engine::images::reference::Reference;

use crate::context::Context;
use crate::error::Failure;
use crate::ui::progress;

/// Download an image from a registry
#[derive(clap::Args)]
pub(crate) struct PullArgs {
    /// Image name: `redis:7`, `registry.example/team/app@sha256:…`
    name: String,
    /// Platform, as `linux/arm64`
    #[arg(long)]
    platform: Option<String>,
    /// Only print the image's name
    #[arg(short, long)]
    quiet: bool,
}

pub(crate) fn run(ctx: &Context, args: &PullArgs) -> Result<(), Failure> {
    let reference: Reference = args.name.parse()?;
    let platform = args.platform.as_deref().map(str::parse).transpose()?;
    let options = PullOptions { platform, ..ctx.pull_options()? };
    let engine = ctx.engine()?;
    let progress = progress::pull(ctx.ui.interactive, args.quiet);
    pull::pull(engine.images(), &reference, &options, progress.as_ref())?;
    ctx.ui.line(reference.to_string())
}
