//! `lighter wait`

use super::target;
use crate::context::Context;
use crate::error::Failure;

/// Wait until containers have ended and print their exit codes
#[derive(clap::Args)]
pub(crate) struct WaitArgs {
    /// Containers, or services of the project in this folder
    #[arg(required = true)]
    containers: Vec<String>,
}

pub(crate) fn run(ctx: &Context, args: &WaitArgs) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    for name in &args.containers {
        for container in target::find(ctx, &engine, name)? {
            let code = engine.wait(&container, None)?.unwrap_or_default();
            ctx.ui.line(code.to_string())?;
        }
    }
    Ok(())
}
