//! `lighter restart`

use lighter_engine::StartOptions;

use super::{stop, target};
use crate::context::Context;
use crate::error::Failure;

/// Stop containers and start them again
#[derive(clap::Args)]
pub(crate) struct RestartArgs {
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

pub(crate) fn run(ctx: &Context, args: &RestartArgs) -> Result<(), Failure> {
    let signal = args.signal.as_deref().map(lighter_engine::signal::parse).transpose()?;
    let grace = args.timeout.map(stop::grace);
    let engine = ctx.recovered_engine()?;
    target::each(ctx, &engine, &args.containers, |engine, one| {
        let started = engine.keeping(one, || -> Result<_, Failure> {
            engine.stop(one, signal, grace)?;
            Ok(engine.start(one, StartOptions::default())?)
        })??;
        started.warnings.iter().for_each(|warning| ctx.ui.warn(warning));
        engine.tell_of(one, "restart");
        Ok(())
    })
}
