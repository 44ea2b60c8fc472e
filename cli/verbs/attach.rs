//! `lighter attach`

use std::process::ExitCode;

use lighter_engine::{AttachClient, Container, Engine, Status};

use super::target;
use crate::context::Context;
use crate::error::Failure;
use crate::session::{self, Attachment, DetachKeys, Ended};

/// Join our terminal to a running container
#[derive(clap::Args)]
pub(crate) struct AttachArgs {
    /// Container, or service of the project in this folder
    container: String,
    #[command(flatten)]
    flags: AttachFlags,
}

/// What an attachment carries
#[derive(clap::Args)]
pub(crate) struct AttachFlags {
    /// Do not hand our input in
    #[arg(long)]
    no_stdin: bool,
    /// Keys that leave a container with a terminal alone, as `ctrl-p,ctrl-q`
    #[arg(long, value_name = "KEYS")]
    detach_keys: Option<DetachKeys>,
    /// Hand signals on to the container, unless it has a terminal
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    sig_proxy: bool,
}

pub(crate) fn run(ctx: &Context, args: &AttachArgs) -> Result<ExitCode, Failure> {
    let engine = ctx.recovered_engine()?;
    let container = target::find_one(ctx, &engine, &args.container)?;
    join(&engine, &container, &args.flags)
}

/// Joins our terminal or pipes to a container; returns its exit code once it ends.
pub(crate) fn join(engine: &Engine, container: &Container, flags: &AttachFlags) -> Result<ExitCode, Failure> {
    if container.state.status != Status::Running {
        return Err(Failure::text(format!("container `{}` is not running", container.spec.name)));
    }
    let client = AttachClient::connect(container)?;
    engine.tell_of(container, "attach");
    let how = Attachment {
        input: container.spec.open_stdin && !flags.no_stdin,
        terminal: container.spec.tty,
        proxy_signals: flags.sig_proxy && !container.spec.tty,
        redraw: true,
        detach_keys: flags.detach_keys.clone().unwrap_or_default(),
        ..Attachment::outputs()
    };
    match session::attach(engine, container, client, how)? {
        Ended::Exited(code) => Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))),
        Ended::Detached => Ok(ExitCode::SUCCESS),
        Ended::MonitorGone => Err(Failure::text(format!("the monitor of `{}` ended", container.spec.name))),
    }
}
