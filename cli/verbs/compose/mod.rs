//! `lighter compose`: the verbs of `docker compose`.

pub(crate) mod apply;
pub(crate) mod attach;
pub(crate) mod build;
mod building;
pub(crate) mod commit;
pub(crate) mod config;
pub(crate) mod cp;
pub(crate) mod create;
pub(crate) mod down;
pub(crate) mod events;
pub(crate) mod exec;
pub(crate) mod export;
mod follower;
mod foreground;
pub(crate) mod images;
pub(crate) mod interrupt;
pub(crate) mod kill;
pub(crate) mod logs;
pub(crate) mod ls;
mod outcome;
pub(crate) mod pause;
pub(crate) mod plan;
pub(crate) mod port;
mod port_range;
pub(crate) mod ps;
pub(crate) mod pull;
pub(crate) mod push;
pub(crate) mod restart;
pub(crate) mod rm;
pub(crate) mod run;
pub(crate) mod scale;
pub(crate) mod select;
pub(crate) mod start;
pub(crate) mod stats;
pub(crate) mod stop;
pub(crate) mod top;
pub(crate) mod unpause;
pub(crate) mod up;
pub(crate) mod version;
pub(crate) mod volumes;
pub(crate) mod wait;
pub(crate) mod watch;

use std::collections::BTreeSet;
use std::process::ExitCode;

use lighter_compose::{Source, observe, resolve_name};
use lighter_engine::Engine;

use crate::args::{Manner, ProjectArgs};
use crate::context::{Context, Invocation};
use crate::error::Failure;

/// Compose projects: the verbs of `docker compose`
#[derive(clap::Args)]
#[command(version, disable_version_flag = true)]
pub(crate) struct ComposeArgs {
    #[command(flatten)]
    pub(crate) options: ComposeOptions,
    #[command(subcommand)]
    pub(crate) verb: ComposeVerb,
}

/// What may stand before the verb
#[derive(clap::Args)]
pub(crate) struct ComposeOptions {
    /// Show our version
    #[arg(short = 'v', long, action = clap::ArgAction::Version)]
    version: Option<bool>,
    #[command(flatten)]
    pub(crate) project: ProjectArgs,
    #[command(flatten)]
    pub(crate) manner: Manner,
}

/// What is to be done with the project
#[derive(clap::Subcommand)]
pub(crate) enum ComposeVerb {
    Up(up::UpArgs),
    Build(build::BuildArgs),
    Down(down::DownArgs),
    #[command(alias = "convert")]
    Config(config::ConfigArgs),
    Ps(ps::PsArgs),
    Logs(logs::LogsArgs),
    Exec(exec::ExecArgs),
    Start(start::StartArgs),
    Stop(stop::StopArgs),
    Restart(restart::RestartArgs),
    Kill(kill::KillArgs),
    Rm(rm::RmArgs),
    Run(Box<run::RunArgs>),
    Plan(Box<plan::PlanArgs>),
    Apply(apply::ApplyArgs),
    Cp(cp::CpArgs),
    Create(create::CreateArgs),
    Scale(scale::ScaleArgs),
    Pause(pause::PauseArgs),
    Unpause(unpause::UnpauseArgs),
    Wait(wait::WaitArgs),
    Watch(watch::WatchArgs),
    Attach(attach::AttachArgs),
    Port(port::PortArgs),
    Top(top::TopArgs),
    Stats(stats::StatsArgs),
    Events(events::EventsArgs),
    Images(images::ImagesArgs),
    Volumes(volumes::VolumesArgs),
    Ls(ls::LsArgs),
    Version(version::VersionArgs),
    Pull(pull::PullArgs),
    Push(push::PushArgs),
    Commit(commit::CommitArgs),
    Export(export::ExportArgs),
}

impl ComposeVerb {
    /// Returns whether nothing is changed by the verb, or nothing when a dry run is asked for.
    fn has_dry_run(&self) -> bool {
        use ComposeVerb::{Apply, Attach, Commit, Cp, Exec, Pause, Unpause, Watch};
        !matches!(self, Apply(_) | Attach(_) | Commit(_) | Cp(_) | Exec(_) | Pause(_) | Unpause(_) | Watch(_))
    }
}

pub(crate) fn run(ctx: &Context, args: ComposeArgs) -> Result<ExitCode, Failure> {
    let project = joined(&ctx.project, args.options.project);
    if ctx.manner.dry_run && !args.verb.has_dry_run() {
        return Err(Failure::text("--dry-run is not supported by this verb: it would do its work"));
    }
    let done = |result: Result<(), Failure>| result.map(|()| ExitCode::SUCCESS);
    match args.verb {
        ComposeVerb::Up(args) => up::up(ctx, &project, &args),
        ComposeVerb::Build(args) => done(build::run(ctx, &project, &args)),
        ComposeVerb::Down(args) => done(down::down(ctx, &project, &args)),
        ComposeVerb::Config(args) => done(config::show(ctx, &project, &args)),
        ComposeVerb::Ps(args) => done(ps::run(ctx, &project, &args)),
        ComposeVerb::Logs(args) => done(logs::run(ctx, &project, &args)),
        ComposeVerb::Exec(args) => exec::run(ctx, &project, &args),
        ComposeVerb::Start(args) => done(start::run(ctx, &project, &args)),
        ComposeVerb::Stop(args) => done(stop::run(ctx, &project, &args)),
        ComposeVerb::Restart(args) => done(restart::run(ctx, &project, &args)),
        ComposeVerb::Kill(args) => done(kill::run(ctx, &project, &args)),
        ComposeVerb::Rm(args) => done(rm::run(ctx, &project, &args)),
        ComposeVerb::Run(args) => run::run(ctx, &project, &args),
        ComposeVerb::Plan(args) => done(plan::run(ctx, &project, &args)),
        ComposeVerb::Apply(args) => apply::run(ctx, &args),
        ComposeVerb::Cp(args) => done(cp::run(ctx, &project, &args)),
        ComposeVerb::Create(args) => create::run(ctx, &project, args),
        ComposeVerb::Scale(args) => scale::run(ctx, &project, &args),
        ComposeVerb::Pause(args) => done(pause::run(ctx, &project, &args)),
        ComposeVerb::Unpause(args) => done(unpause::run(ctx, &project, &args)),
        ComposeVerb::Wait(args) => wait::run(ctx, &project, &args),
        ComposeVerb::Watch(args) => watch::run(ctx, &project, &args),
        ComposeVerb::Attach(args) => attach::run(ctx, &project, &args),
        ComposeVerb::Port(args) => done(port::run(ctx, &project, &args)),
        ComposeVerb::Top(args) => done(top::run(ctx, &project, &args)),
        ComposeVerb::Stats(args) => done(stats::run(ctx, &project, &args)),
        ComposeVerb::Events(args) => done(events::run(ctx, &project, &args)),
        ComposeVerb::Images(args) => done(images::run(ctx, &project, &args)),
        ComposeVerb::Volumes(args) => done(volumes::run(ctx, &project, &args)),
        ComposeVerb::Ls(args) => done(ls::run(ctx, &args)),
        ComposeVerb::Version(args) => done(version::run(ctx, &args)),
        ComposeVerb::Pull(args) => done(pull::run(ctx, &project, &args)),
        ComposeVerb::Push(args) => done(push::run(ctx, &project, &args)),
        ComposeVerb::Commit(args) => done(commit::run(ctx, &project, &args)),
        ComposeVerb::Export(args) => done(export::run(ctx, &project, &args)),
    }
}

/// Starts these containers of a project after a reboot, each after what it depends on.
pub(super) fn boot(ctx: &Context, engine: &Engine, project: &str, ids: &BTreeSet<String>) -> Result<(), Failure> {
    let turn = outcome::turn(ctx, engine, project)?;
    let observed = observe(project, engine)?;
    outcome::apply_plan(ctx, engine, &turn, &lighter_compose::plan::control::boot(&observed, ids))
}

/// `lighter -p x compose -f y up` means both.
pub(crate) fn joined(outer: &ProjectArgs, inner: ProjectArgs) -> ProjectArgs {
    let list = |inner: Vec<_>, outer: &Vec<_>| if inner.is_empty() { outer.clone() } else { inner };
    ProjectArgs {
        file: list(inner.file, &outer.file),
        project_name: inner.project_name.or_else(|| outer.project_name.clone()),
        profile: if inner.profile.is_empty() { outer.profile.clone() } else { inner.profile },
        env_file: list(inner.env_file, &outer.env_file),
        project_directory: inner.project_directory.or_else(|| outer.project_directory.clone()),
    }
}

/// Returns where the project comes from.
pub(crate) fn source(ctx: &Context, project: &ProjectArgs) -> Source {
    source_for(&ctx.invocation, project)
}

/// As [`source`], where there is no installation yet, or it is another host's.
pub(crate) fn source_for(invocation: &Invocation, project: &ProjectArgs) -> Source {
    Source {
        files: project.file.clone(),
        project_directory: project.project_directory.clone(),
        project_name: project.project_name.clone(),
        env_files: project.env_file.clone(),
        profiles: project.profile.clone(),
        working_directory: invocation.working_directory.clone(),
        ..Source::default()
    }
}

/// Returns the project's name; its files are read only if nothing else tells it.
pub(crate) fn project_name(ctx: &Context, project: &ProjectArgs) -> Result<String, Failure> {
    match resolve_name(&source(ctx, project), &ctx.invocation.environment)? {
        Some(name) => Ok(name),
        None => Ok(config::load_project(ctx, project)?.project.name),
    }
}
