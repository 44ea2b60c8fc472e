//! `lighter compose stop`

use std::time::Duration;

use lighter_compose::{observe, plan};

use super::{outcome, select};
use crate::args::ProjectArgs;
use crate::context::Context;
use crate::error::Failure;

/// Stop the project's containers
#[derive(clap::Args)]
pub(crate) struct StopArgs {
    /// Services (default: all)
    services: Vec<String>,
    /// Seconds before SIGKILL (default: each container's own, or 10)
    #[arg(short, long, value_name = "SECONDS")]
    timeout: Option<u64>,
}

pub(crate) fn run(ctx: &Context, project: &ProjectArgs, args: &StopArgs) -> Result<(), Failure> {
    let name = super::project_name(ctx, project)?;
    let engine = ctx.recovered_engine()?;
    let turn = outcome::turn(ctx, &engine, &name)?;
    let observed = observe(&name, &engine)?;
    select::check(ctx, project, &observed, &args.services)?;
    outcome::apply_plan(
        ctx,
        &engine,
        &turn,
        &plan::control::stop(&observed, &args.services, args.timeout.map(Duration::from_secs)),
    )
}
