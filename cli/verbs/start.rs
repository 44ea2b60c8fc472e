//! `lighter start`

use std::process::ExitCode;

use lighter_engine::StartOptions;

use super::target;
use crate::context::Context;
use crate::error::Failure;
use crate::session::{self, Attachment, DetachKeys, Ended};

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
    /// Keys that leave a container with a terminal alone, as `ctrl-p,ctrl-q`
    #[arg(long, value_name = "KEYS")]
    detach_keys: Option<DetachKeys>,
}

pub(crate) fn run(ctx: &Context, args: &StartArgs) -> Result<ExitCode, Failure> {
    let engine = ctx.recovered_engine()?;
    if args.attach || args.interactive {
        let [name] = args.containers.as_slice() else {
            return Err(Failure::text("only one container can be attached to at a time"));
        };
        let container = target::find_one(ctx, &engine, name)?;
        let started = engine.start(&container, StartOptions { attach: true, terminal: session::size() })?;
        started.warnings.iter().for_each(|warning| ctx.ui.warn(warning));
        let Some(client) = started.attached else { return Ok(ExitCode::SUCCESS) };
        let input = args.interactive && container.spec.open_stdin;
        let how = Attachment {
            input,
            terminal: container.spec.tty,
            proxy_signals: !container.spec.tty,
            detach_keys: args.detach_keys.clone().unwrap_or_default(),
            ..Attachment::outputs()
        };
        let code = match session::attach(&engine, &container, client, how)? {
            Ended::Exited(code) => code,
            Ended::Detached => 0,
            Ended::MonitorGone => 1,
        };
        return Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)));
    }
    target::each(ctx, &engine, &args.containers, |engine, one| {
        let started = engine.start(one, StartOptions::default())?;
        started.warnings.iter().for_each(|warning| ctx.ui.warn(warning));
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}
