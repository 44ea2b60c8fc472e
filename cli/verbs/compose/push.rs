//! `lighter compose push`

use lighter_compose::images::{Wanted, wanted};
use lighter_compose::selection;
use lighter_engine::images::push::push;
use lighter_engine::images::reference::Reference;

use super::config::load_services;
use super::outcome;
use crate::args::ProjectArgs;
use crate::context::Context;
use crate::error::Failure;
use crate::ui::progress::{self, ProgressArgs};
use crate::verbs::target::last_of;

/// Upload the images that services build
#[derive(clap::Args)]
pub(crate) struct PushArgs {
    /// Services (default: all)
    services: Vec<String>,
    /// What the services depend on too
    #[arg(long)]
    include_deps: bool,
    /// Succeed though images cannot be pushed
    #[arg(long)]
    ignore_push_failures: bool,
    #[command(flatten)]
    progress: ProgressArgs,
}

pub(crate) fn run(ctx: &Context, project: &ProjectArgs, args: &PushArgs) -> Result<(), Failure> {
    let project = load_services(ctx, project, &args.services)?.project;
    let services =
        selection::select(&project, &args.services, args.include_deps).map_err(|fault| outcome::fault(*fault))?;
    let engine = ctx.engine()?;
    let options = ctx.push_options(None)?;
    let progress = progress::of(args.progress.style(ctx)?, ctx.ui.interactive);
    let mut failures = Vec::new();
    // As docker has it: only what is built here under a name that the file gives.
    let is_ours = |image: &Wanted| image.is_built && image.is_named && !image.is_mounted;
    for image in wanted(&project, &services).into_iter().filter(is_ours) {
        if ctx.manner.dry_run {
            ctx.ui.line(format!("push {}", image.reference))?;
            continue;
        }
        let reference: Reference = image.reference.parse()?;
        match push(engine.images(), &reference, &options, progress.as_ref()) {
            Ok(_) => ctx.ui.line(reference.to_string())?,
            Err(error) => failures.push(Failure::from(error)),
        }
    }
    if args.ignore_push_failures {
        failures.iter().for_each(|failure| ctx.ui.warn(failure.to_string()));
        return Ok(());
    }
    last_of(failures, &ctx.ui)
}
