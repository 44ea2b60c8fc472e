//! `lighter container`: the verbs of containers, which also stand alone.

use std::process::ExitCode;

use super::inspect::ContainerInspectArgs;
use super::run::{self as run_verb, RunArgs};
use super::{
    attach, commit, cp, create, diff, exec, export, inspect, kill, logs, pause, port, ps, rename, restart, rm, start,
    stats, stop, system, top, unpause, update, wait,
};
use crate::context::Context;
use crate::error::Failure;

/// Manage containers
#[derive(clap::Subcommand)]
pub(crate) enum ContainerVerb {
    Run(Box<RunArgs>),
    Create(Box<create::CreateArgs>),
    #[command(visible_aliases = ["list", "ps"])]
    Ls(ps::PsArgs),
    Logs(logs::LogsArgs),
    Exec(exec::ExecArgs),
    Attach(attach::AttachArgs),
    Start(start::StartArgs),
    Stop(stop::StopArgs),
    Restart(restart::RestartArgs),
    Kill(kill::KillArgs),
    Pause(pause::PauseArgs),
    Unpause(unpause::UnpauseArgs),
    Wait(wait::WaitArgs),
    Rename(rename::RenameArgs),
    Update(update::UpdateArgs),
    #[command(visible_alias = "remove")]
    Rm(rm::RmArgs),
    Prune(system::prune::ContainerPruneArgs),
    Inspect(ContainerInspectArgs),
    Port(port::PortArgs),
    Top(top::TopArgs),
    Stats(stats::StatsArgs),
    Diff(diff::DiffArgs),
    Cp(cp::CpArgs),
    Commit(commit::CommitArgs),
    Export(export::ExportArgs),
}

pub(crate) fn run(ctx: &Context, verb: ContainerVerb) -> Result<ExitCode, Failure> {
    let done = |result: Result<(), Failure>| result.map(|()| ExitCode::SUCCESS);
    match verb {
        ContainerVerb::Run(args) => run_verb::run(ctx, &args),
        ContainerVerb::Create(args) => done(create::run(ctx, &args)),
        ContainerVerb::Ls(args) => done(ps::run(ctx, &args)),
        ContainerVerb::Logs(args) => done(logs::run(ctx, &args)),
        ContainerVerb::Exec(args) => exec::run(ctx, &args),
        ContainerVerb::Attach(args) => attach::run(ctx, &args),
        ContainerVerb::Start(args) => start::run(ctx, &args),
        ContainerVerb::Stop(args) => done(stop::run(ctx, &args)),
        ContainerVerb::Restart(args) => done(restart::run(ctx, &args)),
        ContainerVerb::Kill(args) => done(kill::run(ctx, &args)),
        ContainerVerb::Pause(args) => done(pause::run(ctx, &args)),
        ContainerVerb::Unpause(args) => done(unpause::run(ctx, &args)),
        ContainerVerb::Wait(args) => done(wait::run(ctx, &args)),
        ContainerVerb::Rename(args) => done(rename::run(ctx, &args)),
        ContainerVerb::Update(args) => done(update::run(ctx, &args)),
        ContainerVerb::Rm(args) => done(rm::run(ctx, &args)),
        ContainerVerb::Prune(args) => done(system::prune::container_prune(ctx, &args)),
        ContainerVerb::Inspect(args) => done(inspect::run_container(ctx, &args)),
        ContainerVerb::Port(args) => done(port::run(ctx, &args)),
        ContainerVerb::Top(args) => done(top::run(ctx, &args)),
        ContainerVerb::Stats(args) => done(stats::run(ctx, &args)),
        ContainerVerb::Diff(args) => done(diff::run(ctx, &args)),
        ContainerVerb::Cp(args) => done(cp::run(ctx, &args)),
        ContainerVerb::Commit(args) => done(commit::run(ctx, &args)),
        ContainerVerb::Export(args) => done(export::run(ctx, &args)),
    }
}
