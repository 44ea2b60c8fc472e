//! `lighter runtime run`

use std::os::fd::AsFd;
use std::process::ExitCode;

use lighter_engine::Exec;
use lighter_engine::runtime::oci::{Running, Stay};

use super::bundle::BundleArgs;
use super::{RuntimeContext, failed};
use crate::error::Failure;
use crate::session::{self, Joining};

/// Create and start a container, and wait for its end
#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    bundle: BundleArgs,
    /// Return once it runs
    #[arg(short, long)]
    detach: bool,
    /// Leave the container there when it has ended
    #[arg(long)]
    keep: bool,
    /// Do not adopt what processes of a shared pid namespace leave behind
    #[arg(long)]
    no_subreaper: bool,
    /// Name of the container, unique below --root
    id: String,
}

pub(super) fn run(ctx: &RuntimeContext, args: &RunArgs) -> Result<ExitCode, Failure> {
    let options = args.bundle.options(ctx)?;
    if !args.no_subreaper && !args.detach {
        nix::sys::prctl::set_child_subreaper(true)?;
    }
    let (stay, mut warnings) = (Stay { attended: !args.detach, keep: args.keep }, Vec::new());
    let running = ctx.root.run(&args.id, &options, stay, &mut warnings);
    ctx.warn_all(&warnings);
    let running = running.map_err(failed("run", &args.id))?;
    if args.detach {
        return Ok(ExitCode::SUCCESS);
    }
    if args.keep {
        return attend(running);
    }
    attend_and_delete(ctx, &args.id, running)
}

/// Serves the container until its end, and deletes it then.
pub(super) fn attend_and_delete(ctx: &RuntimeContext, id: &str, running: Running) -> Result<ExitCode, Failure> {
    let ended = attend(running);
    ctx.warn_all(&ctx.root.delete(id, true).map_err(failed("delete", id))?);
    ended
}

/// Serves the container's terminal, hands signals on, and returns its exit code once it has ended.
fn attend(running: Running) -> Result<ExitCode, Failure> {
    let pidfd = running.init.pidfd.as_fd().try_clone_to_owned()?;
    let exec =
        Exec { pidfd, terminal: running.terminal, stdin: None, stdout: None, stderr: None, warnings: Vec::new() };
    let joining = Joining { forwarded: &session::PROXIED, ..Joining::default() };
    let code = session::pump(exec, joining)?.and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(crate::error::FAILED)))
}
