//! `lighter runtime run`

use std::os::fd::AsFd;
use std::process::ExitCode;

use lighter_engine::Exec;
use lighter_engine::runtime::oci::Running;

use super::bundle::BundleArgs;
use super::{RuntimeContext, failed};
use crate::error::Failure;
use crate::session;

/// Create and start a container, and wait for its end
#[derive(clap::Args)]
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
    let running = ctx.root.run(&args.id, &options, !args.detach, args.keep).map_err(failed("run", &args.id))?;
    ctx.warn_all(&running.warnings);
    if args.detach {
        return Ok(ExitCode::SUCCESS);
    }
    let ended = attend(running);
    if !args.keep {
        ctx.warn_all(&ctx.root.delete(&args.id, true).map_err(failed("delete", &args.id))?);
    }
    Ok(ExitCode::from(u8::try_from(ended?).unwrap_or(crate::error::FAILED)))
}

/// Serves the container's terminal, hands signals on, and returns its exit code once it has ended.
fn attend(running: Running) -> Result<i32, Failure> {
    let pidfd = running.init.pidfd.as_fd().try_clone_to_owned()?;
    let exec =
        Exec { pidfd, terminal: running.terminal, stdin: None, stdout: None, stderr: None, warnings: Vec::new() };
    session::pump(exec, &session::PROXIED)
}
