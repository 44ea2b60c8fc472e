//! `lighter compose scale`

use std::process::ExitCode;

use super::up::{self, UpArgs};
use crate::args::ProjectArgs;
use crate::context::Context;
use crate::error::Failure;

/// Change how many containers services have
#[derive(clap::Args)]
pub(crate) struct ScaleArgs {
    /// Services and their numbers of containers
    #[arg(required = true, value_name = "SERVICE=N")]
    services: Vec<String>,
    /// Not what the services depend on
    #[arg(long)]
    no_deps: bool,
}

pub(crate) fn run(ctx: &Context, project: &ProjectArgs, args: &ScaleArgs) -> Result<ExitCode, Failure> {
    let scale = up::scale(&args.services)?;
    let up = UpArgs {
        services: scale.into_keys().collect(),
        scale: args.services.clone(),
        no_deps: args.no_deps,
        // only the number changes: containers that differ from the file stay
        no_recreate: true,
        detach: true,
        ..UpArgs::default()
    };
    up::up(ctx, project, &up)
}
