//! `lighter start`

use std::process::ExitCode;

use lighter_engine::StartOptions;

use super::target;
use crate::context::Context;
use crate::error::Failure;
use crate::session::{self, Attachment};

/// Start containers that were created or have ended
#[derive(clap::Args)]
pub(crate) struct StartArgs {
    /// Containers, or services of the project in this folder
    #[arg(required = true)]
    containers: Vec<String>,
    /// Join our terminal to it
    #[arg(short, long)]
    attach: bool,
    /// Hand our input in
    #[arg(short, long)]
    interactive: bool,
}

pub(crate) fn run(ctx: &Context, args: &StartArgs) -> Result<ExitCode, Failure> {
    let engine = ctx.recovered_engine()?;
    if args.attach || args.interactive {
        let [name] = args.containers.as_slice() else {
            return Err(Failure::text("only one container can be attached to at a time"));
        };
        let container = target::find_one(ctx, &engine, name)?;
        let started = engine.start(&container, StartOptions { attach: true })?;
        started.warnings.iter().for_each(|warning| ctx.ui.warn(warning));
        let Some(client) = started.attached else { return Ok(ExitCode::SUCCESS) };
        let input = args.interactive && container.spec.open_stdin;
        let how = Attachment { input, terminal: container.spec.tty, proxy_signals: true };
        let code = session::attach(&engine, &container, client, how)?.unwrap_or(1);
        return Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)));
    }
    target::each(ctx, &engine, &args.containers, |engine, one| {
        let started = engine.start(one, StartOptions::default())?;
        started.warnings.iter().for_each(|warning| ctx.ui.warn(warning));
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}
