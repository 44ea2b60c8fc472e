//! `lighter registry`

mod serve;

use crate::context::Context;
use crate::error::Failure;

/// Be a registry
#[derive(clap::Subcommand)]
pub(crate) enum RegistryVerb {
    Serve(serve::ServeArgs),
}

pub(crate) fn run(ctx: &Context, verb: &RegistryVerb) -> Result<(), Failure> {
    match verb {
        RegistryVerb::Serve(args) => serve::run(ctx, args),
    }
}
