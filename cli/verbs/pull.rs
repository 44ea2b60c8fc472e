//! `lighter pull`

use lighter_engine::images::progress::Progress;
use lighter_engine::images::pull::{self, PullOptions};
use lighter_engine::images::reference::Reference;
use lighter_engine::images::store::Image;

use super::{image, target};
use crate::context::Context;
use crate::error::Failure;
use crate::ui::progress::{self, ProgressArgs, Style};

/// Download an image from a registry
#[derive(clap::Args)]
pub(crate) struct PullArgs {
    /// Image name: `redis:7`, `registry.example/team/app@sha256:…`
    name: String,
    /// Every tag of the repository
    #[arg(short, long)]
    all_tags: bool,
    /// Platform, as `linux/arm64` or `linux/arm/v6`
    #[arg(long)]
    platform: Option<String>,
    /// Layers that are fetched and unpacked at once [default: 3]
    #[arg(long, value_name = "N")]
    max_concurrent_downloads: Option<usize>,
    #[command(flatten)]
    progress: ProgressArgs,
}

pub(crate) fn run(ctx: &Context, args: &PullArgs) -> Result<(), Failure> {
    let reference: Reference = args.name.parse()?;
    let platform = args.platform.as_deref().map(str::parse).transpose()?;
    let options = PullOptions { platform, ..ctx.pull_options(args.max_concurrent_downloads)? };
    let engine = ctx.engine()?;
    let style = args.progress.style(ctx)?;
    let is_told = !matches!(style, Style::Quiet | Style::Json);
    let progress = progress::of(style, ctx.ui.interactive);
    let references = if args.all_tags { all_tags(args, &reference, &options, &*progress)? } else { vec![reference] };
    let mut failures = Vec::new();
    for reference in references {
        let before = engine.images().find(&reference.familiar())?;
        match pull::pull(engine.images(), &reference, &options, &*progress) {
            Ok(image) => {
                if is_told {
                    tell(ctx, &reference, before.as_ref(), &image)?;
                }
                image::tell(&engine, "pull", (&reference.familiar(), &reference.familiar_name()));
                ctx.ui.line(reference.to_string())?;
            }
            Err(error) => failures.push(Failure::from(error)),
        }
    }
    target::last_of(failures, &ctx.ui)
}

/// Says what came of it, in docker's words: scripts look for them.
fn tell(ctx: &Context, reference: &Reference, before: Option<&Image>, image: &Image) -> Result<(), Failure> {
    let of_repository = format!("{}@", reference.familiar_name());
    let digests = image.repo_digests.iter().filter_map(|digest| digest.strip_prefix(&of_repository));
    let digests: Vec<_> = digests.map(str::to_owned).collect();
    // it may have been served as several manifests, by this name or by another of the repository
    let own = image.manifest.to_string();
    let digest = if digests.contains(&own) { Some(&own) } else { digests.first().filter(|_| digests.len() == 1) };
    if let Some(digest) = digest {
        ctx.ui.line(format!("Digest: {digest}"))?;
    }
    let status = match before {
        Some(before) if before.manifest == image.manifest => "Image is up to date",
        _ => "Downloaded newer image",
    };
    ctx.ui.line(format!("Status: {status} for {}", reference.familiar()))
}

fn all_tags(
    args: &PullArgs,
    reference: &Reference,
    options: &PullOptions,
    progress: &dyn Progress,
) -> Result<Vec<Reference>, Failure> {
    if reference.tag().is_none_or(|tag| args.name.ends_with(&format!(":{tag}"))) {
        return Err(Failure::text("neither a tag nor a digest can be given together with --all-tags"));
    }
    let tags = pull::tags(reference, &options.access, progress)?;
    let reference = |tag| format!("{}:{tag}", reference.familiar_name()).parse().map_err(Failure::from);
    tags.into_iter().map(reference).collect()
}
