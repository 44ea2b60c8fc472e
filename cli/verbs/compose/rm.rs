//! `lighter compose rm`

use lighter_compose::{observe, plan};

use super::{outcome, select};
use crate::args::ProjectArgs;
use crate::context::Context;
use crate::error::Failure;

/// Remove the project's ended containers
#[derive(clap::Args)]
pub(crate) struct RmArgs {
    /// Services (default: all)
    services: Vec<String>,
    /// Stop them first
    #[arg(short, long)]
    stop: bool,
    /// Remove their anonymous volumes too
    #[arg(short, long)]
    volumes: bool,
    /// Those of `run` too (the default)
    #[arg(short, long, hide = true)]
    all: bool,
    /// Do not ask (lighter never does)
    #[arg(short, long)]
    force: bool,
}

pub(crate) fn run(ctx: &Context, project: &ProjectArgs, args: &RmArgs) -> Result<(), Failure> {
    let name = super::project_name(ctx, project)?;
    let engine = ctx.recovered_engine()?;
    let turn = outcome::turn(ctx, &engine, &name)?;
    let observed = observe(&name, &engine)?;
    select::check(ctx, project, &observed, &args.services)?;
    outcome::apply_plan(ctx, &engine, &turn, &plan::control::rm(&observed, &args.services, args.stop, args.volumes))
}
