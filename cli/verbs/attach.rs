//! `lighter attach`

use std::process::ExitCode;

use lighter_engine::{AttachClient, Container, Engine, Status};

use super::target;
use crate::context::Context;
use crate::error::Failure;
use crate::session::{self, Attachment};

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
    /// Hand signals on to the container
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true")]
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
        proxy_signals: flags.sig_proxy,
    };
    let code = session::attach(engine, container, client, how)?;
    code.map(|code| ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
        .ok_or_else(|| Failure::text(format!("the monitor of `{}` ended", container.spec.name)))
}
