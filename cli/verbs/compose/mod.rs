//! `lighter compose`: the verbs of `docker compose`.

pub(crate) mod build;
pub(crate) mod config;
pub(crate) mod down;
pub(crate) mod exec;
mod foreground;
pub(crate) mod interrupt;
pub(crate) mod kill;
pub(crate) mod logs;
mod outcome;
pub(crate) mod ps;
pub(crate) mod pull;
pub(crate) mod push;
pub(crate) mod restart;
pub(crate) mod rm;
pub(crate) mod run;
pub(crate) mod select;
pub(crate) mod start;
pub(crate) mod stop;
pub(crate) mod up;

use std::process::ExitCode;

use lighter_compose::{Source, resolve_name};

use crate::args::ProjectArgs;
use crate::context::Context;
use crate::error::Failure;

/// Compose projects: the verbs of `docker compose`
#[derive(clap::Args)]
pub(crate) struct ComposeArgs {
    #[command(flatten)]
    project: ProjectArgs,
    #[command(subcommand)]
    pub(crate) verb: ComposeVerb,
}

/// What is to be done with the project
#[derive(clap::Subcommand)]
pub(crate) enum ComposeVerb {
    Up(up::UpArgs),
    Build(build::BuildArgs),
    Down(down::DownArgs),
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
    Pull(pull::PullArgs),
    Push(push::PushArgs),
}

pub(crate) fn run(ctx: &Context, args: ComposeArgs) -> Result<ExitCode, Failure> {
    let project = joined(&ctx.project, args.project);
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
        ComposeVerb::Pull(args) => done(pull::run(ctx, &project, &args)),
        ComposeVerb::Push(args) => done(push::run(ctx, &project, &args)),
    }
}

/// `lighter -p x compose -f y up` means both.
fn joined(outer: &ProjectArgs, inner: ProjectArgs) -> ProjectArgs {
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
    Source {
        files: project.file.clone(),
        project_directory: project.project_directory.clone(),
        project_name: project.project_name.clone(),
        env_files: project.env_file.clone(),
        profiles: project.profile.clone(),
        working_directory: ctx.invocation.working_directory.clone(),
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
