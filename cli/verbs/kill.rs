//! `lighter kill`

use super::target;
use crate::context::Context;
use crate::error::Failure;

/// Send a signal to containers
#[derive(clap::Args)]
pub(crate) struct KillArgs {
    /// Containers, or services of the project in this folder
    #[arg(required = true)]
    containers: Vec<String>,
    /// Signal, by name or number
    #[arg(short, long, default_value = "SIGKILL")]
    signal: String,
}

pub(crate) fn run(ctx: &Context, args: &KillArgs) -> Result<(), Failure> {
    let signal = lighter_engine::signal::parse(&args.signal)?;
    let engine = ctx.recovered_engine()?;
    target::each(ctx, &engine, &args.containers, |engine, one| Ok(engine.kill(one, signal)?))
}
