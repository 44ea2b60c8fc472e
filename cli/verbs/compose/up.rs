//! `lighter up`

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use lighter_compose::images::ImagesError;
use lighter_compose::model::Service;
use lighter_compose::plan::up::PlanError;
use lighter_compose::plan::{Plan, UpOptions};
use lighter_compose::specify::Template;
use lighter_compose::{Project, images, observe, plan, selection, specify};
use lighter_engine::Engine;
use lighter_engine::images::pull::PullPolicy;
use nix::fcntl::OFlag;

use super::config::load_services;
use super::foreground::{self, Ending, Foreground};
use super::logs::Prefixes;
use super::outcome::Until;
use super::pull::Pulling;
use super::watch::Watcher;
use super::{build, interrupt, outcome, port_range, pull, select};
use crate::args::ProjectArgs;
use crate::context::Context;
use crate::error::{Failure, INTERRUPTED};
use crate::verbs::run::explain::{Explain, Explanation};
use crate::verbs::run::seccomp_profile;

/// Make and start the project's containers; show their logs unless detached
#[derive(clap::Args, Default)]
pub(crate) struct UpArgs {
    /// Services (default: all)
    pub(super) services: Vec<String>,
    /// Return when they run
    #[arg(short, long)]
    pub(super) detach: bool,
    /// Return when they run, or are healthy if they have a health check; implies --detach
    #[arg(long, conflicts_with_all = ["attach", "abort_on_container_exit", "abort_on_container_failure", "exit_code_from", "no_start"])]
    pub(super) wait: bool,
    /// Seconds after which --wait gives up
    #[arg(long, value_name = "SECONDS", requires = "wait")]
    pub(super) wait_timeout: Option<u64>,
    /// Not what the services depend on
    #[arg(long)]
    pub(super) no_deps: bool,
    /// Make containers anew even if nothing changed
    #[arg(long, conflicts_with = "no_recreate")]
    pub(super) force_recreate: bool,
    /// Keep containers even if something changed
    #[arg(long, conflicts_with_all = ["always_recreate_deps", "renew_anon_volumes"])]
    pub(super) no_recreate: bool,
    /// Make what the services depend on anew too
    #[arg(long)]
    pub(super) always_recreate_deps: bool,
    /// Make, but do not start
    #[arg(long)]
    pub(super) no_start: bool,
    /// Remove containers whose services are not in the file any more
    #[arg(long)]
    pub(super) remove_orphans: bool,
    /// Do not carry anonymous volumes over to new containers
    #[arg(short = 'V', long)]
    pub(super) renew_anon_volumes: bool,
    /// Number of replicas: SERVICE=N
    #[arg(long, value_name = "SERVICE=N")]
    pub(super) scale: Vec<String>,
    /// Seconds before SIGKILL for containers that are replaced or stopped
    #[arg(short, long, value_name = "SECONDS")]
    pub(super) timeout: Option<u64>,
    /// When to pull images, instead of what the file says: `always`, `missing`, `never`, `daily`, `every_12h`
    #[arg(long, value_name = "POLICY")]
    pub(super) pull: Option<PullPolicy>,
    /// Build the images of services that have a `build`, even if they are here
    #[arg(long, conflicts_with = "no_build")]
    pub(super) build: bool,
    /// Build nothing, even if an image is missing
    #[arg(long)]
    pub(super) no_build: bool,
    /// No progress of builds
    #[arg(long)]
    pub(super) quiet_build: bool,
    /// No progress of pulls
    #[arg(long)]
    pub(super) quiet_pull: bool,
    /// Show what would be done, and why, and do nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Stop all when one container ends
    #[arg(long, conflicts_with_all = ["detach", "abort_on_container_failure"])]
    pub(super) abort_on_container_exit: bool,
    /// Stop all when one container ends with another code than 0
    #[arg(long, conflicts_with = "detach")]
    pub(super) abort_on_container_failure: bool,
    /// End with the exit code of this service's container; implies --abort-on-container-exit
    #[arg(long, value_name = "SERVICE", conflicts_with = "detach")]
    pub(super) exit_code_from: Option<String>,
    /// Show the logs of this service only
    #[arg(long, value_name = "SERVICE", conflicts_with_all = ["detach", "attach_dependencies"])]
    pub(super) attach: Vec<String>,
    /// Do not show the logs of this service
    #[arg(long, value_name = "SERVICE", conflicts_with = "detach")]
    pub(super) no_attach: Vec<String>,
    /// Show the logs of what the named services depend on too
    #[arg(long, conflicts_with = "detach")]
    pub(super) attach_dependencies: bool,
    /// Say why each step is done before it is
    #[arg(long)]
    pub(super) explain_plan: bool,
    /// Show what the host was asked for, step by step, with shell commands that do the same; `json`: as objects
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, require_equals = true, default_missing_value = "text")]
    pub(super) explain: Option<Explain>,
    /// Ask nothing (lighter never does)
    #[arg(short, long, alias = "y")]
    pub(super) yes: bool,
    /// Keys for shortcuts while logs are shown: not supported, so only `false`
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", hide = true)]
    pub(super) menu: Option<bool>,
    /// Build, copy, restart or execute as `develop.watch` says whenever files change
    #[arg(short, long, conflicts_with_all = ["detach", "wait", "no_start", "no_build"])]
    pub(crate) watch: bool,
    /// Show when each line was written
    #[arg(long)]
    pub(super) timestamps: bool,
    /// No container names before the lines
    #[arg(long)]
    pub(super) no_log_prefix: bool,
    /// No colors
    #[arg(long)]
    pub(super) no_color: bool,
}

pub(crate) fn run(ctx: &Context, args: &UpArgs) -> Result<ExitCode, Failure> {
    up(ctx, &ctx.project, args)
}

pub(super) fn up(ctx: &Context, project: &ProjectArgs, args: &UpArgs) -> Result<ExitCode, Failure> {
    if args.menu == Some(true) {
        return Err(Failure::text("--menu is not supported: Ctrl-C stops, a second one kills"));
    }
    let options = options(args)?;
    let interrupt = interrupt::listen()?;
    let project = load_services(ctx, project, &args.services)?.project;
    let attached = attached(&project, args)?;
    let engine = ctx.recovered_engine()?;
    let begun = Timestamp::now();
    let is_dry = args.dry_run || ctx.manner.dry_run;
    let services =
        fetch(ctx, &engine, &project, args, Fetch { options: &options, cancelled: interrupt.flag(), is_dry })?;
    let turn = outcome::turn_until(ctx, &engine, &project.name, interrupt.flag())?;
    let plan = plan(ctx, &engine, &project, &Goal { services: &services, options: &options, is_dry })?;
    if is_dry {
        return outcome::show_plan(ctx, &plan).map(|()| ExitCode::SUCCESS);
    }
    if args.explain_plan {
        ctx.ui.explain(&crate::ui::printable(&plan.to_string()));
    }
    let deadline = args.wait_timeout.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let until = Until { turn: Some(&turn), interrupted: interrupt.flag(), deadline };
    let explanation = args.explain.map(Explanation::begin).transpose()?;
    // a hook, or a stop, may take its time: the first signal lets what has begun end, the second does not
    foreground::kill_all_at(2, &engine, &project.name, &interrupt);
    let hint = |error: &_| port_range::of(error, &project);
    let mut applied = outcome::apply_hinting(ctx, &engine, &plan, until, &hint);
    if interrupt.count() > 1 {
        // what failed did so because its container was killed
        applied = applied.map_err(|_| Failure::silent(INTERRUPTED));
    }
    explanation.map_or(Ok(()), |explanation| explanation.show(ctx, ""))?;
    if args.detach || args.wait || args.no_start {
        return applied.map(|()| ExitCode::SUCCESS);
    }
    let grace = args.timeout.map(Duration::from_secs);
    if applied.is_err() && interrupt.count() > 0 {
        foreground::stop_all(ctx, &engine, &project.name, grace)?;
    }
    applied?;
    let containers = select::containers(&engine, &project.name, &[])?;
    let mine = containers.iter().filter(|c| services.iter().any(|service| service == select::service_of(c)));
    let is_one_shot = |name: &&String| project.services.values().any(|service| service.awaits_end_of(name));
    let foreground = Foreground {
        project: &project.name,
        services: &services,
        containers: mine.cloned().collect(),
        attached,
        one_shots: services.iter().filter(is_one_shot).cloned().collect(),
        since: begun,
        timestamps: args.timestamps,
        prefixes: Prefixes {
            names: !args.no_log_prefix,
            color: ctx.ui.color && !args.no_color,
            services: select::services(&containers),
        },
        ending: ending(args),
        exit_code_from: args.exit_code_from.as_deref(),
        grace,
        stays: args.watch,
    };
    if !args.watch {
        return foreground.run(ctx, &engine, &interrupt);
    }
    let cancelled = interrupt.flag();
    let watcher = Watcher { ctx, engine: &engine, project: &project, quiet: args.quiet_build, prune: true, cancelled };
    beside(&watcher, &args.services, || foreground.run(ctx, &engine, &interrupt))
}

/// Follows the files of these services as long as `run` runs.
fn beside<T>(watcher: &Watcher<'_>, services: &[String], run: impl FnOnce() -> T) -> T {
    thread::scope(|scope| {
        // closed when `run` has returned: that ends the thread
        let _stop = nix::unistd::pipe2(OFlag::O_CLOEXEC).map(|(theirs, ours)| {
            scope.spawn(move || {
                if let Err(failure) = watcher.beside(services, theirs) {
                    failure.print(watcher.ctx.ui.color); // what runs goes on
                }
            });
            ours
        });
        run()
    })
}

fn ending(args: &UpArgs) -> Ending {
    if args.abort_on_container_failure {
        Ending::WithFailure
    } else if args.abort_on_container_exit || args.exit_code_from.is_some() {
        Ending::WithAny
    } else {
        Ending::Alone
    }
}

/// Returns the services whose logs are shown: the named ones without their dependencies, unless the flags say otherwise.
fn attached(project: &Project, args: &UpArgs) -> Result<Vec<String>, Failure> {
    let mentioned = [&args.attach, &args.no_attach].into_iter().flatten().chain(&args.exit_code_from);
    let mentioned: Vec<String> = mentioned.cloned().collect();
    selection::select(project, &mentioned, false).map_err(|fault| outcome::fault(*fault))?;
    let named = if args.attach.is_empty() { &args.services } else { &args.attach };
    let chosen = selection::select(project, named, args.attach_dependencies);
    let mut chosen = chosen.map_err(|fault| outcome::fault(*fault))?;
    let wants = |name: &String| !args.attach.is_empty() || project.services[name].attach;
    chosen.retain(|name| wants(name) && !args.no_attach.contains(name));
    Ok(chosen)
}

/// How images are fetched.
pub(super) struct Fetch<'a> {
    pub(super) options: &'a UpOptions,
    /// Set by whoever does not want to go on.
    pub(super) cancelled: &'a AtomicBool,
    /// Only say what would be.
    pub(super) is_dry: bool,
}

/// Refuses what cannot be run, before anything is pulled, and builds and pulls what is missing; returns the services meant.
pub(super) fn fetch(
    ctx: &Context,
    engine: &Engine,
    project: &Project,
    args: &UpArgs,
    Fetch { options, cancelled, is_dry }: Fetch<'_>,
) -> Result<Vec<String>, Failure> {
    if let Some(refusal) = project.refusals.first() {
        return Err(Failure::diagnostics(vec![refusal.clone()]));
    }
    let services =
        selection::select(project, &options.services, !options.no_deps).map_err(|fault| outcome::fault(*fault))?;
    let pulling = Pulling { services: &services, policy: args.pull, quiet: args.quiet_pull };
    if is_dry {
        let built = if args.no_build { Vec::new() } else { build::needed(engine, project, &services, args.build)? };
        let built = built.iter().map(|name| format!("build {}", images::name_of(project, &project.services[name])));
        let pulled = pull::needed(engine, project, &pulling)?;
        let pulled = pulled.iter().map(|image| format!("pull {}", image.reference));
        built.chain(pulled).try_for_each(|line| ctx.ui.line(line))?;
        return Ok(services);
    }
    if !args.no_build {
        let how = build::Building { all: args.build, quiet: args.quiet_build, cancelled };
        build::missing(ctx, engine, project, &services, &how)?;
    }
    pull::missing(ctx, engine, project, &pulling)?;
    Ok(services)
}

/// What there shall be a plan for.
pub(super) struct Goal<'a> {
    /// The services, in start order, as [`fetch`] returns them.
    pub(super) services: &'a [String],
    pub(super) options: &'a UpOptions,
    /// Whether nothing is to be done: images may be missing.
    pub(super) is_dry: bool,
}

/// Returns what the containers of each service shall be, with the files read that it names and the proxies of docker's configuration, and refuses runtimes there are not; of those whose images are not here only if nothing is to be done.
pub(super) fn templates(
    ctx: &Context,
    engine: &Engine,
    project: &Project,
    goal: &Goal<'_>,
) -> Result<BTreeMap<String, Template>, Failure> {
    let services = goal.services;
    let images = match goal.is_dry {
        true => images::present(project, services, engine)?,
        false => images::find(project, services, engine).map_err(|error| match error {
            ImagesError::Missing(fault) => outcome::fault(*fault),
            other => other.into(),
        })?,
    };
    let proxies = ctx.proxies();
    let mut templates = specify::templates(project, services, &images, engine);
    for service in services.iter().filter_map(|name| project.services.get(name)) {
        let provisional = || specify::provisional(project, service, engine);
        let template = templates.entry(service.name.clone()).or_insert_with(provisional);
        // those are no part of the hash: a change of them makes no container anew, as with docker
        template.spec.set_env(unsaid(&proxies, service));
        if let Some(file) = &service.isolation.seccomp_profile {
            let profile = seccomp_profile(&project.working_directory.join(file))?;
            template.spec.isolation.seccomp_profile = Some(profile);
        }
        engine.check_runtime(&template.spec)?;
    }
    Ok(templates)
}

/// Returns those variables of which the service itself says nothing, neither a value nor that there is none.
fn unsaid(variables: &[(String, String)], service: &Service) -> Vec<String> {
    let process = &service.process;
    let is_said = |name: &String| process.environment.contains_key(name) || process.unset.contains(name);
    variables.iter().filter(|(name, _)| !is_said(name)).map(|(name, value)| format!("{name}={value}")).collect()
}

/// Plans with what is there now; the project's turn must be ours.
pub(super) fn plan(ctx: &Context, engine: &Engine, project: &Project, goal: &Goal<'_>) -> Result<Plan, Failure> {
    plan_with(engine, project, &templates(ctx, engine, project, goal)?, goal.options)
}

/// As [`plan`], from templates that were made before.
pub(super) fn plan_with(
    engine: &Engine,
    project: &Project,
    templates: &BTreeMap<String, Template>,
    options: &UpOptions,
) -> Result<Plan, Failure> {
    let observed = observe(&project.name, engine)?;
    plan::up::up(project, templates, &observed, options).map_err(|error| match error {
        PlanError::Invalid(fault) => outcome::fault(*fault),
        other => other.into(),
    })
}

pub(super) fn options(args: &UpArgs) -> Result<UpOptions, Failure> {
    let scale = scale(&args.scale)?;
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

/// Reads `SERVICE=N`, several times.
pub(super) fn scale(texts: &[String]) -> Result<BTreeMap<String, u32>, Failure> {
    let pair = |text: &String| {
        let pair = text.split_once('=').and_then(|(service, number)| Some((service.to_owned(), number.parse().ok()?)));
        pair.ok_or_else(|| Failure::text(format!("`{text}` is no scale: use SERVICE=N")))
    };
    texts.iter().map(pair).collect()
}
