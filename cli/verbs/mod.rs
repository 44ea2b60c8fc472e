//! The verbs, one file each.

pub(crate) mod attach;
pub(crate) mod boot;
pub(crate) mod build;
pub(crate) mod builder;
pub(crate) mod commit;
pub(crate) mod completion;
pub(crate) mod compose;
pub(crate) mod container;
pub(crate) mod context;
pub(crate) mod cp;
pub(crate) mod create;
pub(crate) mod diff;
pub(crate) mod elsewhere;
pub(crate) mod exec;
pub(crate) mod export;
pub(crate) mod history;
pub(crate) mod image;
pub(crate) mod images;
pub(crate) mod import;
pub(crate) mod inspect;
pub(crate) mod kill;
pub(crate) mod load;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod logs;
pub(crate) mod machine;
pub(crate) mod man;
pub(crate) mod network;
mod output;
pub(crate) mod pause;
pub(crate) mod port;
pub(crate) mod ps;
pub(crate) mod pull;
pub(crate) mod push;
pub(crate) mod registry;
pub(crate) mod rename;
pub(crate) mod restart;
pub(crate) mod rm;
pub(crate) mod rmi;
pub(crate) mod run;
pub(crate) mod runtime;
pub(crate) mod save;
pub(crate) mod search;
pub(crate) mod start;
pub(crate) mod stats;
pub(crate) mod stop;
pub(crate) mod system;
pub(crate) mod tag;
mod target;
pub(crate) mod top;
pub(crate) mod unpause;
pub(crate) mod update;
pub(crate) mod volume;
pub(crate) mod wait;

use std::process::ExitCode;

use crate::args::Verb;
use crate::context::Context;
use crate::error::Failure;

/// Does what was asked.
pub(crate) fn run(ctx: &Context, verb: Verb) -> Result<ExitCode, Failure> {
    if ctx.manner.dry_run && !verb.knows_dry_run() {
        return Err(Failure::text("--dry-run is not supported by this verb: it would do its work"));
    }
    let done = |result: Result<(), Failure>| result.map(|()| ExitCode::SUCCESS);
    match verb {
        Verb::Up(args) => compose::up::run(ctx, &args),
        Verb::Down(args) => done(compose::down::run(ctx, &args)),
        Verb::Plan(args) => done(compose::plan::run(ctx, &ctx.project, &args)),
        Verb::Apply(args) => compose::apply::run(ctx, &args),
        Verb::Config(args) => done(compose::config::run(ctx, &args)),
        Verb::Ls(args) => done(compose::ls::run(ctx, &args)),
        Verb::Scale(args) => compose::scale::run(ctx, &ctx.project, &args),
        Verb::Watch(args) => compose::watch::run(ctx, &ctx.project, &args),
        Verb::Compose(args) => compose::run(ctx, args),
        Verb::Run(args) => run::run(ctx, &args),
        Verb::Create(args) => done(create::run(ctx, &args)),
        Verb::Ps(args) => done(ps::run(ctx, &args)),
        Verb::Logs(args) => done(logs::run(ctx, &args)),
        Verb::Exec(args) => exec::run(ctx, &args),
        Verb::Attach(args) => attach::run(ctx, &args),
        Verb::Start(args) => start::run(ctx, &args),
        Verb::Stop(args) => done(stop::run(ctx, &args)),
        Verb::Restart(args) => done(restart::run(ctx, &args)),
        Verb::Kill(args) => done(kill::run(ctx, &args)),
        Verb::Cp(args) => done(cp::run(ctx, &args)),
        Verb::Pause(args) => done(pause::run(ctx, &args)),
        Verb::Unpause(args) => done(unpause::run(ctx, &args)),
        Verb::Top(args) => done(top::run(ctx, &args)),
        Verb::Stats(args) => done(stats::run(ctx, &args)),
        Verb::Wait(args) => done(wait::run(ctx, &args)),
        Verb::Rename(args) => done(rename::run(ctx, &args)),
        Verb::Update(args) => done(update::run(ctx, &args)),
        Verb::Rm(args) => done(rm::run(ctx, &args)),
        Verb::Diff(args) => done(diff::run(ctx, &args)),
        Verb::Inspect(args) => done(inspect::run(ctx, &args)),
        Verb::Port(args) => done(port::run(ctx, &args)),
        Verb::Build(args) => build::run(ctx, &args),
        Verb::Builder(verb) => builder::run(ctx, verb),
        Verb::Pull(args) => done(pull::run(ctx, &args)),
        Verb::Push(args) => done(push::run(ctx, &args)),
        Verb::Search(args) => done(search::run(ctx, &args)),
        Verb::Login(args) => done(login::run(ctx, &args)),
        Verb::Logout(args) => done(logout::run(ctx, &args)),
        Verb::Images(args) => done(images::run(ctx, &args)),
        Verb::Rmi(args) => done(rmi::run(ctx, &args)),
        Verb::Tag(args) => done(tag::run(ctx, &args)),
        Verb::History(args) => done(history::run(ctx, &args)),
        Verb::Save(args) => done(save::run(ctx, &args)),
        Verb::Load(args) => done(load::run(ctx, &args)),
        Verb::Import(args) => done(import::run(ctx, &args)),
        Verb::Export(args) => done(export::run(ctx, &args)),
        Verb::Commit(args) => done(commit::run(ctx, &args)),
        Verb::Image(verb) => image::run(ctx, &verb),
        Verb::Container(verb) => container::run(ctx, verb),
        Verb::Events(args) => done(system::events::run(ctx, &args)),
        Verb::Info(args) => done(system::info::run(ctx, &args)),
        Verb::Version(args) => done(system::version::run(ctx, &args)),
        Verb::Swarm(_) | Verb::Node(_) | Verb::Service(_) | Verb::Stack(_) | Verb::Secret(_) => Err(elsewhere::swarm()),
        Verb::Plugin(_) => Err(elsewhere::plugin()),
        Verb::Trust(_) => Err(elsewhere::trust()),
        Verb::Manifest(_) => Err(elsewhere::manifest()),
        Verb::Checkpoint(_) => Err(elsewhere::checkpoint()),
        Verb::System(verb) => done(system::run(ctx, &verb)),
        Verb::Volume(verb) => done(volume::run(ctx, &verb)),
        Verb::Network(verb) => done(network::run(ctx, &verb)),
        Verb::Boot(args) => boot::run(ctx, &args),
        Verb::Registry(verb) => done(registry::run(ctx, &verb)),
        Verb::Runtime(args) => Ok(runtime::run(args)),
        Verb::Context(verb) => done(context::run(ctx, &verb)),
        Verb::Machine(verb) => machine::run(ctx, &verb),
        Verb::Completion(args) => done(completion::run(ctx, &args)),
        Verb::Man(args) => done(man::run(ctx, &args)),
    }
}
