//! `lighter compose kill`

use lighter_compose::{observe, plan};

use super::{outcome, select};
use crate::args::ProjectArgs;
use crate::context::Context;
use crate::error::Failure;

/// Send a signal to the project's containers
#[derive(clap::Args)]
pub(crate) struct KillArgs {
    /// Services (default: all)
    services: Vec<String>,
    /// Signal, by name or number
    #[arg(short, long, default_value = "SIGKILL")]
    signal: String,
    /// Containers whose services are not in the file any more too (the default)
    #[arg(long)]
    remove_orphans: bool,
}

pub(crate) fn run(ctx: &Context, project: &ProjectArgs, args: &KillArgs) -> Result<(), Failure> {
    let name = super::project_name(ctx, project)?;
    let signal = lighter_engine::signal::parse(&args.signal)?;
    let engine = ctx.recovered_engine()?;
    let observed = observe(&name, &engine)?;
    select::check(ctx, project, &observed, &args.services)?;
    outcome::apply_at_once(ctx, &engine, &plan::control::kill(&observed, &args.services, signal))
}
