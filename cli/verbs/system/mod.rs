//! `lighter system`: the verbs of everything at once.

mod check;
mod df;
mod prune;

use crate::context::Context;
use crate::error::Failure;

/// Look after everything at once
#[derive(clap::Subcommand)]
pub(crate) enum SystemVerb {
    Df(df::DfArgs),
    Prune(prune::PruneArgs),
    Check(check::CheckArgs),
}

pub(crate) fn run(ctx: &Context, verb: &SystemVerb) -> Result<(), Failure> {
    match verb {
        SystemVerb::Df(args) => df::run(ctx, args),
        SystemVerb::Prune(args) => prune::run(ctx, args),
        SystemVerb::Check(args) => check::run(ctx, args),
    }
}
