//! `lighter push`

use lighter_engine::images::platform::Platform;
use lighter_engine::images::push::{PushOptions, push};
use lighter_engine::images::reference::Reference;

use super::image;
use crate::context::Context;
use crate::error::Failure;
use crate::ui::progress::{self, ProgressArgs};

/// Upload an image to a registry
#[derive(clap::Args)]
pub(crate) struct PushArgs {
    /// Image name, which says where to: `registry.example/team/app:1`
    name: String,
    /// Every tag of the repository that is here
    #[arg(short, long)]
    all_tags: bool,
    /// Only the image for this platform, where the name stands for several: `linux/arm64`
    #[arg(long)]
    platform: Option<Platform>,
    /// Layers that are sent at once [default: 5]
    #[arg(long, value_name = "N")]
    max_concurrent_uploads: Option<usize>,
    #[command(flatten)]
    progress: ProgressArgs,
}

pub(crate) fn run(ctx: &Context, args: &PushArgs) -> Result<(), Failure> {
    let reference: Reference = args.name.parse()?;
    if args.all_tags && args.name.ends_with(&format!(":{}", reference.tag().unwrap_or_default())) {
        return Err(Failure::text("a tag cannot be given together with --all-tags"));
    }
    let options = PushOptions {
        all_tags: args.all_tags,
        platform: args.platform.clone(),
        ..ctx.push_options(args.max_concurrent_uploads)?
    };
    let style = args.progress.style(ctx)?;
    let progress = progress::of(style, ctx.ui.interactive);
    let engine = ctx.engine()?;
    let pushed = push(engine.images(), &reference, &options, progress.as_ref())?;
    drop(progress);
    for one in &pushed {
        image::tell(&engine, "push", (&one.reference.familiar(), &one.reference.familiar_name()));
    }
    pushed.iter().try_for_each(|pushed| match style {
        progress::Style::Quiet => ctx.ui.line(pushed.reference.to_string()),
        _ => {
            let tag = pushed.reference.tag().unwrap_or_default();
            ctx.ui.line(format!("{tag}: digest: {} size: {}", pushed.digest, pushed.size))
        }
    })
}
