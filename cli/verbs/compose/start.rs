//! `lighter compose start`

use lighter_compose::{observe, plan};

use super::outcome;
use crate::args::ProjectArgs;
use crate::context::Context;
use crate::error::Failure;

/// Start the project's containers
#[derive(clap::Args)]
pub(crate) struct StartArgs {
    /// Services (default: all)
    services: Vec<String>,
}

pub(crate) fn run(ctx: &Context, project: &ProjectArgs, args: &StartArgs) -> Result<(), Failure> {
    let name = super::project_name(ctx, project)?;
    let engine = ctx.recovered_engine()?;
    let turn = outcome::turn(ctx, &engine, &name)?;
    let observed = observe(&name, &engine)?;
    outcome::apply_plan(ctx, &engine, &turn, &plan::control::start(&observed, &args.services))
}
