//! `lighter compose pull`, and pulling what a project needs before it is planned.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::thread;
use std::time::SystemTime;

use lighter_compose::images::{Wanted, wanted};
use lighter_compose::{Project, selection};
use lighter_engine::Engine;
use lighter_engine::images::pull::{self, PullOptions, PullPolicy};
use lighter_engine::images::reference::Reference;

use super::config::load_services;
use super::outcome;
use crate::args::ProjectArgs;
use crate::context::Context;
use crate::error::Failure;
use crate::ui::progress::{self, ProgressArgs, Style};
use crate::verbs::target::last_of;

/// Download the images of services
#[derive(clap::Args)]
pub(crate) struct PullArgs {
    /// Services (default: all)
    services: Vec<String>,
    /// When to pull, instead of what the file says: `always`, `missing`, `daily`, `every_12h`
    #[arg(long, value_name = "POLICY")]
    policy: Option<PullPolicy>,
    /// What the services depend on too
    #[arg(long)]
    include_deps: bool,
    /// Not the images of services with a `build`
    #[arg(long)]
    ignore_buildable: bool,
    /// Go on, and succeed, though images cannot be pulled
    #[arg(long)]
    ignore_pull_failures: bool,
    #[command(flatten)]
    progress: ProgressArgs,
}

pub(crate) fn run(ctx: &Context, project: &ProjectArgs, args: &PullArgs) -> Result<(), Failure> {
    let project = load_services(ctx, project, &args.services)?.project;
    let services =
        selection::select(&project, &args.services, args.include_deps).map_err(|fault| outcome::fault(*fault))?;
    let engine = ctx.engine()?;
    let mut images = Vec::new();
    for image in wanted(&project, &services) {
        // Whoever says `pull` means now; only what is never pulled stays away, and what is to be built elsewhere may come.
        let policy = args.policy.unwrap_or(match image.policy {
            never @ (PullPolicy::Never | PullPolicy::Build) => never,
            _ => PullPolicy::Always,
        });
        let (presence, _) = engine.images().presence(&image.reference)?;
        let is_wanted = !(image.is_built && (args.ignore_buildable || !image.is_named));
        if is_wanted && policy.must_pull(presence, SystemTime::now()) {
            images.push(image);
        }
    }
    if ctx.manner.dry_run {
        return images.iter().try_for_each(|image| ctx.ui.line(format!("pull {}", image.reference)));
    }
    let result = pull_all(ctx, &engine, images, args.progress.style(ctx)?);
    match result {
        Err(failure) if args.ignore_pull_failures => {
            ctx.ui.warn(failure.to_string());
            Ok(())
        }
        result => result,
    }
}

/// What a verb that needs images pulls.
pub(super) struct Pulling<'a> {
    /// The services whose images it needs.
    pub(super) services: &'a [String],
    /// Takes the place of the services' own.
    pub(super) policy: Option<PullPolicy>,
    /// Whether to show nothing.
    pub(super) quiet: bool,
}

/// Returns the images that the services want and the store lacks, or has for too long.
pub(super) fn needed(engine: &Engine, project: &Project, pulling: &Pulling<'_>) -> Result<Vec<Wanted>, Failure> {
    let mut images = Vec::new();
    for image in wanted(project, pulling.services) {
        let (presence, _) = engine.images().presence(&image.reference)?;
        if image.must_pull(pulling.policy, presence, SystemTime::now()) {
            images.push(image);
        }
    }
    Ok(images)
}

/// Pulls the images that [`needed`] names.
pub(super) fn missing(ctx: &Context, engine: &Engine, project: &Project, pulling: &Pulling<'_>) -> Result<(), Failure> {
    let images = needed(engine, project, pulling)?;
    pull_all(ctx, engine, images, progress::style(ctx, None, pulling.quiet)?)
}

/// Pulls images, all at once; how many layers come at once is bounded for all of them together.
fn pull_all(ctx: &Context, engine: &Engine, images: Vec<Wanted>, style: Style) -> Result<(), Failure> {
    let images: BTreeMap<String, Option<String>> =
        images.into_iter().map(|image| (image.reference, image.platform)).collect();
    if images.is_empty() {
        return Ok(());
    }
    let options = ctx.pull_options(None)?;
    let progress = progress::of(style, ctx.ui.interactive);
    let pull_one = |name: &str, platform: Option<&str>| -> Result<(), Failure> {
        if matches!(style, Style::Auto | Style::Tty | Style::Plain | Style::Github) {
            ctx.ui.note(format!(" …  pull {name}"));
        }
        let reference: Reference = name.parse()?;
        let platform = platform.map(str::parse).transpose()?;
        pull::pull(engine.images(), &reference, &PullOptions { platform, ..options.clone() }, progress.as_ref())?;
        Ok(())
    };
    thread::scope(|scope| {
        let pulls: Vec<_> =
            images.iter().map(|(name, platform)| scope.spawn(|| pull_one(name, platform.as_deref()))).collect();
        let results = pulls.into_iter().map(|pull| pull.join().unwrap_or_else(|panic| resume_unwind(panic)));
        let failures = results.filter_map(Result::err).collect();
        last_of(failures, &ctx.ui)
    })
}
