//! `lighter compose run`

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use lighter_compose::apply::name_by_id;
use lighter_compose::model::{Lender, VolumesFrom};
use lighter_compose::plan::UpOptions;
use lighter_compose::{Project, names, split_words};
use lighter_engine::images::pull::PullPolicy;
use lighter_engine::{ContainerSpec, Ipc, Namespace, NetworkMode, RestartPolicy, StartOptions};

use super::config::load_services;
use super::up::{self, Fetch, Goal, UpArgs};
use super::{outcome, select};
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
    /// A terminal (the default if ours is one)
    #[arg(short, long, conflicts_with = "no_tty", hide = true)]
    tty: bool,
    /// Keep stdin open
    #[arg(short, long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    interactive: bool,
    /// Replace the entrypoint, by words as of a shell
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
    #[arg(short = 'P', long, conflicts_with = "publish")]
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
    /// Build the service's image first, even if it is here
    #[arg(long)]
    build: bool,
    /// No progress of builds
    #[arg(long)]
    quiet_build: bool,
    /// No progress of pulls and builds, and nothing printed of our own
    #[arg(short, long)]
    quiet: bool,
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
    let tty = args.tty || (!args.no_tty && !args.detach && on_terminal());
    let engine = ctx.recovered_engine()?;
    let up = UpArgs {
        build: args.build,
        quiet_build: args.quiet_build || args.quiet,
        quiet_pull: args.quiet_pull || args.quiet,
        pull: args.pull,
        ..UpArgs::default()
    };
    let options = UpOptions {
        services: vec![args.service.clone()],
        no_deps: args.no_deps,
        remove_orphans: args.remove_orphans,
        stand_in: true,
        ..UpOptions::default()
    };
    let fetch = Fetch { options: &options, cancelled: &AtomicBool::new(false), is_dry: ctx.manner.dry_run };
    let services = up::fetch(ctx, &engine, &project, &up, fetch)?;
    let turn = outcome::turn(ctx, &engine, &project.name)?;
    let goal = Goal { services: &services, options: &options, is_dry: ctx.manner.dry_run };
    let mut templates = up::templates(ctx, &engine, &project, &goal)?;
    let plan = up::plan_with(&engine, &project, &templates, &options)?;
    outcome::apply_plan(ctx, &engine, &turn, &plan)?;
    if ctx.manner.dry_run {
        return Ok(ExitCode::SUCCESS);
    }
    let template = templates.remove(&args.service).ok_or_else(|| Failure::text("the service's image is not known"))?;
    let mut spec = one_off(ctx, &project, args, template.replica(&project.name, &args.service, 1), tty)?;
    if let Some(lender) = &template.network_of {
        spec.network = NetworkMode::Container(select::replica(&engine, &project.name, lender, 0)?.id);
    }
    if let Some(lender) = &template.pid_of {
        spec.isolation.pid = Namespace::Container(select::replica(&engine, &project.name, lender, 0)?.id);
    }
    if let Some(lender) = &template.ipc_of {
        spec.isolation.ipc = Ipc::Container(select::replica(&engine, &project.name, lender, 0)?.id);
    }
    for VolumesFrom { lender, read_only } in template.volumes_from {
        let container = match lender {
            Lender::Container(name) => name,
            Lender::Service(name) => select::replica(&engine, &project.name, &name, 0)?.id,
        };
        spec.volumes_from.push(lighter_engine::VolumesFrom { container, read_only });
    }
    name_by_id(&mut spec, &engine)?;
    let container = engine.create_to_run(spec)?;
    let started = engine.start(&container, StartOptions { attach: !args.detach, terminal: session::size() }).map_err(
        |error| {
            let code = error.exit_code();
            Failure::from(error).with_code(code)
        },
    )?;
    started.warnings.iter().for_each(|warning| ctx.ui.warn(warning));
    let Some(client) = started.attached else {
        if !args.quiet {
            ctx.ui.line(&container.spec.name)?;
        }
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

/// Says what the one-off container shall be.
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
        let words = split_words(entrypoint);
        spec.args =
            words.ok_or_else(|| Failure::text(format!("--entrypoint `{entrypoint}`: a quote is not closed")))?;
        spec.entrypoint_len = spec.args.len();
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
