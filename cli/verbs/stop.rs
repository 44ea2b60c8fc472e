//! `lighter stop`

use std::time::Duration;

use super::target;
use crate::context::Context;
use crate::error::Failure;

/// Stop containers: stop signal, grace, SIGKILL
#[derive(clap::Args)]
pub(crate) struct StopArgs {
    /// Containers, or services of the project in this folder
    #[arg(required = true)]
    containers: Vec<String>,
    /// Seconds before SIGKILL, -1 for never (default: the container's own, or 10)
    #[arg(short = 't', long = "timeout", alias = "time", value_name = "SECONDS", allow_negative_numbers = true)]
    timeout: Option<i64>,
    /// Signal instead of the container's stop signal
    #[arg(short, long)]
    signal: Option<String>,
}

/// Longer than any host runs.
const NEVER: Duration = Duration::from_secs(u32::MAX as u64);

/// Reads seconds; less than none is without end.
pub(super) fn grace(seconds: i64) -> Duration {
    u64::try_from(seconds).map_or(NEVER, Duration::from_secs).min(NEVER)
}

pub(crate) fn run(ctx: &Context, args: &StopArgs) -> Result<(), Failure> {
    let signal = args.signal.as_deref().map(lighter_engine::signal::parse).transpose()?;
    let grace = args.timeout.map(grace);
    let engine = ctx.recovered_engine()?;
    target::each(ctx, &engine, &args.containers, |engine, one| Ok(engine.stop(one, signal, grace)?))
}
