//! `lighter compose run`

use std::path::PathBuf;
use std::process::ExitCode;

use lighter_compose::images::ImagesError;
use lighter_compose::plan::up::PlanError;
use lighter_compose::plan::{Plan, UpOptions};
use lighter_compose::{Project, images, names, observe, plan, selection, specify};
use lighter_engine::images::pull::PullPolicy;
use lighter_engine::{ContainerSpec, Engine, NetworkMode, RestartPolicy, StartOptions};

use super::config::load_services;
use super::pull::Pulling;
use super::{outcome, pull, select};
use crate::args::ProjectArgs;
use crate::context::Context;
use crate::error::Failure;
use crate::session::{self, Attachment, Ended};
use crate::verbs::exec::on_terminal;
use crate::verbs::run::publish;

/// Run a command once in a container of a service
#[derive(clap::Args)]
pub(crate) struct RunArgs {
    /// Service
    service: String,
    /// Command and its arguments (default: the service's)
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
    /// Leave it running and print its name
    #[arg(short, long)]
    detach: bool,
    /// Remove it when it ends
    #[arg(long)]
    rm: bool,
    /// No terminal (default: a terminal if ours is one)
    #[arg(short = 'T', long = "no-tty", alias = "no-TTY")]
    no_tty: bool,
    /// Keep stdin open
    #[arg(short, long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true")]
    interactive: bool,
    /// Replace the entrypoint
    #[arg(long)]
    entrypoint: Option<String>,
    /// Set a variable; a name alone takes our own value
    #[arg(short, long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// User, as `name`, `uid` or `user:group`
    #[arg(short, long)]
    user: Option<String>,
    /// Working directory
    #[arg(short, long)]
    workdir: Option<String>,
    /// Name of the container (default: made up)
    #[arg(long)]
    name: Option<String>,
    /// Do not start what the service depends on
    #[arg(long)]
    no_deps: bool,
    /// Publish the service's ports
    #[arg(long)]
    service_ports: bool,
    /// Publish a port
    #[arg(short, long, value_name = "PORT")]
    publish: Vec<String>,
    /// Give it the service's names on its networks
    #[arg(long)]
    use_aliases: bool,
    /// When to pull images, instead of what the file says
    #[arg(long, value_name = "POLICY")]
    pull: Option<PullPolicy>,
    /// No progress of pulls
    #[arg(long)]
    quiet_pull: bool,
    /// Mount a volume or a folder beside the service's
    #[arg(short, long, alias = "volumes", value_name = "SOURCE:TARGET")]
    volume: Vec<String>,
    /// Set a label
    #[arg(short, long, alias = "labels", value_name = "NAME=VALUE")]
    label: Vec<String>,
    /// Set the variables of a file
    #[arg(long, value_name = "FILE")]
    pub(crate) env_from_file: Vec<PathBuf>,
    /// Add a capability
    #[arg(long, value_name = "CAP")]
    cap_add: Vec<String>,
    /// Drop a capability
    #[arg(long, value_name = "CAP")]
    cap_drop: Vec<String>,
    /// Remove containers whose services are not in the file any more
    #[arg(long)]
    remove_orphans: bool,
}

pub(crate) fn run(ctx: &Context, project: &ProjectArgs, args: &RunArgs) -> Result<ExitCode, Failure> {
    let project = load_services(ctx, project, std::slice::from_ref(&args.service))?.project;
    let tty = !args.no_tty && !args.detach && on_terminal();
    let engine = ctx.recovered_engine()?;
    let services = selection::select(&project, std::slice::from_ref(&args.service), !args.no_deps)
        .map_err(|fault| outcome::fault(*fault))?;
    let pulling = Pulling { services: &services, policy: args.pull, quiet: args.quiet_pull };
    pull::missing(ctx, &engine, &project, &pulling)?;
    let turn = outcome::turn(ctx, &engine, &project.name)?;
    let (plan, mut spec, lender) = prepare(ctx, &engine, &project, args, tty)?;
    outcome::apply_plan(ctx, &engine, &turn, &plan)?;
    if ctx.manner.dry_run {
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(lender) = lender {
        spec.network = NetworkMode::Container(select::replica(&engine, &project.name, &lender, 0)?.id);
    }
    let container = engine.create(spec)?;
    let started = engine.start(&container, StartOptions { attach: !args.detach, terminal: session::size() }).map_err(
        |error| {
            let code = error.exit_code();
            Failure::from(error).with_code(code)
        },
    )?;
    started.warnings.iter().for_each(|warning| ctx.ui.warn(warning));
    let Some(client) = started.attached else {
        ctx.ui.line(&container.spec.name)?;
        return Ok(ExitCode::SUCCESS);
    };
    let how = Attachment { input: args.interactive, terminal: tty, proxy_signals: !tty, ..Attachment::outputs() };
    let code = match session::attach(&engine, &container, client, how)? {
        Ended::Exited(code) => code,
        Ended::Detached => return Ok(ExitCode::SUCCESS),
        Ended::MonitorGone => 1,
    };
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
}

/// Plans what the service depends on and its networks and volumes, and says what the one-off container shall be.
fn prepare(
    ctx: &Context,
    engine: &Engine,
    project: &Project,
    args: &RunArgs,
    tty: bool,
) -> Result<(Plan, ContainerSpec, Option<String>), Failure> {
    let services = selection::select(project, std::slice::from_ref(&args.service), !args.no_deps)
        .map_err(|fault| outcome::fault(*fault))?;
    let images = images::find(project, &services, engine).map_err(|error| match error {
        ImagesError::Missing(fault) => outcome::fault(*fault),
        other => other.into(),
    })?;
    let templates = specify::templates(project, &services, &images, engine);
    let observed = observe(&project.name, engine)?;
    let options = UpOptions {
        services: vec![args.service.clone()],
        no_deps: args.no_deps,
        remove_orphans: args.remove_orphans,
        stand_in: true,
        ..UpOptions::default()
    };
    let plan = plan::up::up(project, &templates, &observed, &options).map_err(|error| match error {
        PlanError::Invalid(fault) => outcome::fault(*fault),
        other => other.into(),
    })?;
    let template = templates.get(&args.service).ok_or_else(|| Failure::text("the service's image is not known"))?;
    let spec = one_off(ctx, project, args, template.replica(&project.name, &args.service, 1), tty)?;
    Ok((plan, spec, template.network_of.clone()))
}

fn one_off(
    ctx: &Context,
    project: &Project,
    args: &RunArgs,
    mut spec: ContainerSpec,
    tty: bool,
) -> Result<ContainerSpec, Failure> {
    let suffix = lighter_engine::random_name();
    spec.name = args.name.clone().unwrap_or_else(|| format!("{}-{}-run-{}", project.name, args.service, &suffix[..12]));
    spec.labels.insert(names::ONEOFF.to_owned(), "True".to_owned());
    if let Some(entrypoint) = &args.entrypoint {
        spec.args = vec![entrypoint.clone()];
        spec.entrypoint_len = 1;
        spec.args.extend(args.command.clone());
    } else if !args.command.is_empty() {
        spec.args.truncate(spec.entrypoint_len);
        spec.args.extend(args.command.clone());
    }
    for file in &args.env_from_file {
        spec.set_env(crate::verbs::run::env_file(ctx, file)?);
    }
    spec.set_env(args.env.iter().filter_map(|pair| ctx.pair(pair)));
    for text in &args.label {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        spec.labels.insert(name.to_owned(), value.to_owned());
    }
    for text in &args.volume {
        let mount = crate::verbs::run::volume(text, &ctx.invocation.working_directory)?;
        spec.mounts.retain(|other| other.target != mount.target);
        spec.mounts.push(mount);
    }
    spec.isolation.cap_add.extend(args.cap_add.iter().cloned());
    spec.isolation.cap_drop.extend(args.cap_drop.iter().cloned());
    if let Some(user) = &args.user {
        spec.user = user.clone();
    }
    if let Some(directory) = &args.workdir {
        spec.working_dir = directory.clone();
    }
    if !args.service_ports {
        spec.ports.clear();
    }
    for port in &args.publish {
        spec.ports.extend(publish(port)?);
    }
    if !args.use_aliases {
        spec.forget_aliases();
    }
    spec.restart = RestartPolicy::No;
    spec.health = None;
    spec.tty = tty;
    spec.open_stdin = args.interactive;
    spec.auto_remove = args.rm;
    Ok(spec)
}
