//! `lighter runtime exec`

use std::path::PathBuf;
use std::process::ExitCode;

use lighter_engine::Exec;
use lighter_engine::runtime::oci::{ExecOptions, load_process};

use super::process::ProcessArgs;
use super::{NOT_STARTED, RuntimeContext, bundle, failed};
use crate::error::Failure;
use crate::session;

/// Run one more process in a container
#[derive(clap::Args)]
pub(super) struct ExecArgs {
    /// Unix socket that receives the master side of the process's terminal
    #[arg(long, value_name = "SOCKET")]
    console_socket: Option<PathBuf>,
    /// File to write its pid to
    #[arg(long, value_name = "FILE")]
    pid_file: Option<PathBuf>,
    /// Return once it runs
    #[arg(short, long)]
    detach: bool,
    /// File that describes the process as `config.json` does, instead of options and arguments
    #[arg(short, long, value_name = "FILE")]
    process: Option<PathBuf>,
    /// Hand this many descriptors after standard error on to it
    #[arg(long, value_name = "N", default_value_t = 0)]
    preserve_fds: u32,
    /// Cgroup below the container's to run it in
    #[arg(long, value_name = "PATH")]
    cgroup: Option<String>,
    /// Also in a paused container; the process waits until that is resumed
    #[arg(long)]
    ignore_paused: bool,
    #[command(flatten)]
    options: ProcessArgs,
    /// Name of the container
    id: String,
    /// Program and arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    command: Vec<String>,
}

pub(super) fn run(ctx: &RuntimeContext, args: &ExecArgs) -> Result<ExitCode, Failure> {
    let not_started = |failure: Failure| failure.with_code(i32::from(NOT_STARTED));
    let executed = start(ctx, args).map_err(not_started)?;
    if args.detach {
        return Ok(ExitCode::SUCCESS);
    }
    let code = session::pump(executed, &session::PROXIED)?;
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(crate::error::FAILED)))
}

fn start(ctx: &RuntimeContext, args: &ExecArgs) -> Result<Exec, Failure> {
    let options = ExecOptions {
        console_socket: args.console_socket.clone(),
        pid_file: args.pid_file.clone(),
        preserve_fds: bundle::preserved(args.preserve_fds)?,
        cgroup: args.cgroup.clone(),
        ignore_paused: args.ignore_paused,
        attended: !args.detach,
    };
    let executed = ctx.root.exec(&args.id, &options, |spec| match &args.process {
        Some(path) => load_process(path),
        None => args.options.process(spec, &args.command),
    });
    let executed = executed.map_err(failed("exec in", &args.id))?;
    ctx.warn_all(&executed.warnings);
    let (pidfd, terminal) = (executed.pidfd, executed.terminal);
    Ok(Exec { pidfd, terminal, stdin: None, stdout: None, stderr: None, warnings: Vec::new() })
}
