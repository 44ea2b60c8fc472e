//! `lighter up`

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use jiff::Timestamp;
use lighter_compose::images::ImagesError;
use lighter_compose::plan::up::PlanError;
use lighter_compose::plan::{Plan, UpOptions};
use lighter_compose::{Project, images, observe, plan, selection, specify};
use lighter_engine::Engine;
use lighter_engine::images::pull::PullPolicy;

use super::config::load_services;
use super::foreground::{self, Foreground};
use super::pull::Pulling;
use super::{build, interrupt, outcome, pull, select};
use crate::args::ProjectArgs;
use crate::context::Context;
use crate::error::Failure;

/// Make and start the project's containers; show their logs unless detached
#[derive(clap::Args)]
pub(crate) struct UpArgs {
    /// Services (default: all)
    services: Vec<String>,
    /// Return when they run
    #[arg(short, long)]
    detach: bool,
    /// Return when they run, or are healthy if they have a health check; implies --detach
    #[arg(long)]
    wait: bool,
    /// Not what the services depend on
    #[arg(long)]
    no_deps: bool,
    /// Make containers anew even if nothing changed
    #[arg(long, conflicts_with = "no_recreate")]
    force_recreate: bool,
    /// Keep containers even if something changed
    #[arg(long)]
    no_recreate: bool,
    /// Make what the services depend on anew too
    #[arg(long)]
    always_recreate_deps: bool,
    /// Make, but do not start
    #[arg(long)]
    no_start: bool,
    /// Remove containers whose services are not in the file any more
    #[arg(long)]
    remove_orphans: bool,
    /// Do not carry anonymous volumes over to new containers
    #[arg(short = 'V', long)]
    renew_anon_volumes: bool,
    /// Number of replicas: SERVICE=N
    #[arg(long, value_name = "SERVICE=N")]
    scale: Vec<String>,
    /// Seconds before SIGKILL for containers that are replaced or stopped
    #[arg(short, long, value_name = "SECONDS")]
    timeout: Option<u64>,
    /// When to pull images, instead of what the file says: `always`, `missing`, `never`, `daily`, `every_12h`
    #[arg(long, value_name = "POLICY")]
    pull: Option<PullPolicy>,
    /// Build the images of services that have a `build`, even if they are here
    #[arg(long, conflicts_with = "no_build")]
    build: bool,
    /// Build nothing, even if an image is missing
    #[arg(long)]
    no_build: bool,
    /// No progress of builds
    #[arg(long)]
    quiet_build: bool,
    /// No progress of pulls
    #[arg(long)]
    quiet_pull: bool,
    /// Show what would be done, and why, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Stop all when one container ends
    #[arg(long, conflicts_with = "detach")]
    abort_on_container_exit: bool,
    /// End with the exit code of this service's container; implies --abort-on-container-exit
    #[arg(long, value_name = "SERVICE", conflicts_with = "detach")]
    exit_code_from: Option<String>,
    /// Show when each line was written
    #[arg(long)]
    timestamps: bool,
    /// No container names before the lines
    #[arg(long)]
    no_log_prefix: bool,
    /// No colors
    #[arg(long)]
    no_color: bool,
}

pub(crate) fn run(ctx: &Context, args: &UpArgs) -> Result<ExitCode, Failure> {
    up(ctx, &ctx.project, args)
}

pub(super) fn up(ctx: &Context, project: &ProjectArgs, args: &UpArgs) -> Result<ExitCode, Failure> {
    let options = options(args)?;
    let interrupt = interrupt::listen()?;
    let project = load_services(ctx, project, &args.services)?.project;
    let engine = ctx.recovered_engine()?;
    let begun = Timestamp::now();
    let lock = engine.lock_project(&project.name)?;
    let plan = plan(ctx, &engine, &project, args, (&options, interrupt.flag()))?;
    if args.dry_run {
        return outcome::show_plan(ctx, &plan).map(|()| ExitCode::SUCCESS);
    }
    let applied = outcome::apply_until(ctx, &engine, &plan, interrupt.flag());
    drop(lock);
    if args.detach || args.wait || args.no_start {
        return applied.map(|()| ExitCode::SUCCESS);
    }
    let grace = args.timeout.map(Duration::from_secs);
    if applied.is_err() && interrupt.count() > 0 {
        foreground::stop_all(ctx, &engine, &project.name, grace)?;
    }
    applied?;
    let services =
        selection::select(&project, &args.services, !args.no_deps).map_err(|fault| outcome::fault(*fault))?;
    let containers = select::containers(&engine, &project.name, &[])?;
    let mine = containers.into_iter().filter(|c| services.iter().any(|service| service == select::service_of(c)));
    let foreground = Foreground {
        project: &project.name,
        containers: mine.collect(),
        since: begun,
        timestamps: args.timestamps,
        prefixes: super::logs::Prefixes { names: !args.no_log_prefix, color: ctx.ui.color && !args.no_color },
        abort_on_exit: args.abort_on_container_exit || args.exit_code_from.is_some(),
        exit_code_from: args.exit_code_from.as_deref(),
        grace,
    };
    foreground.run(ctx, &engine, &interrupt)
}

fn plan(
    ctx: &Context,
    engine: &Engine,
    project: &Project,
    args: &UpArgs,
    (options, cancelled): (&UpOptions, &AtomicBool),
) -> Result<Plan, Failure> {
    // before anything is pulled: what cannot run shall not cost a download
    if let Some(refusal) = project.refusals.first() {
        return Err(Failure::diagnostics(vec![refusal.clone()]));
    }
    let services =
        selection::select(project, &options.services, !options.no_deps).map_err(|fault| outcome::fault(*fault))?;
    if !args.no_build && !args.dry_run {
        let how = build::Building { all: args.build, quiet: args.quiet_build, cancelled };
        build::missing(ctx, engine, project, &services, &how)?;
    }
    pull::missing(ctx, engine, project, &services, &Pulling { policy: args.pull, quiet: args.quiet_pull })?;
    let images = images::find(project, &services, engine).map_err(|error| match error {
        ImagesError::Missing(fault) => outcome::fault(*fault),
        other => other.into(),
    })?;
    let templates = specify::templates(project, &services, &images, engine);
    let observed = observe(&project.name, engine)?;
    plan::up::up(project, &templates, &observed, options).map_err(|error| match error {
        PlanError::Invalid(fault) => outcome::fault(*fault),
        other => other.into(),
    })
}

fn options(args: &UpArgs) -> Result<UpOptions, Failure> {
    let mut scale = BTreeMap::new();
    for text in &args.scale {
        let pair = text.split_once('=').and_then(|(service, number)| Some((service, number.parse().ok()?)));
        let (service, number) = pair.ok_or_else(|| Failure::text(format!("--scale `{text}`: use SERVICE=N")))?;
        scale.insert(service.to_owned(), number);
    }
    Ok(UpOptions {
        services: args.services.clone(),
        no_deps: args.no_deps,
        force_recreate: args.force_recreate,
        always_recreate_deps: args.always_recreate_deps,
        no_recreate: args.no_recreate,
        no_start: args.no_start,
        remove_orphans: args.remove_orphans,
        renew_anonymous_volumes: args.renew_anon_volumes,
        scale,
        timeout: args.timeout.map(Duration::from_secs),
        stand_in: false,
        wait: args.wait,
    })
}
