//! `lighter system`: the verbs of everything at once.

mod check;
mod df;
pub(crate) mod events;
pub(crate) mod info;
pub(in crate::verbs) mod prune;
pub(crate) mod version;

use crate::context::Context;
use crate::error::Failure;

/// Look after everything at once
#[derive(clap::Subcommand)]
pub(crate) enum SystemVerb {
    Df(df::DfArgs),
    Prune(prune::PruneArgs),
    Check(check::CheckArgs),
    Events(events::EventsArgs),
    Info(info::InfoArgs),
}

pub(crate) fn run(ctx: &Context, verb: &SystemVerb) -> Result<(), Failure> {
    match verb {
        SystemVerb::Df(args) => df::run(ctx, args),
        SystemVerb::Prune(args) => prune::run(ctx, args),
        SystemVerb::Check(args) => check::run(ctx, args),
        SystemVerb::Events(args) => events::run(ctx, args),
        SystemVerb::Info(args) => info::run(ctx, args),
    }
}
