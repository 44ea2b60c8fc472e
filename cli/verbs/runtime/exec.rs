//! `lighter runtime exec`

use std::path::PathBuf;
use std::process::ExitCode;

use lighter_engine::Exec;
use lighter_engine::runtime::oci::{ExecOptions, load_process};

use super::handed::HandedArgs;
use super::process::ProcessArgs;
use super::{NOT_STARTED, RuntimeContext, failed};
use crate::error::Failure;
use crate::session::{self, Joining};

/// Run one more process in a container
#[derive(Debug, clap::Args)]
pub(super) struct ExecArgs {
    #[command(flatten)]
    handed: HandedArgs,
    /// Return once it runs
    #[arg(short, long)]
    detach: bool,
    /// File that describes the process as `config.json` does, instead of options and arguments
    #[arg(short, long, value_name = "FILE")]
    process: Option<PathBuf>,
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
    let joining = Joining { forwarded: &session::PROXIED, ..Joining::default() };
    let code = session::pump(executed, joining)?.and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(crate::error::FAILED)))
}

fn start(ctx: &RuntimeContext, args: &ExecArgs) -> Result<Exec, Failure> {
    let options = ExecOptions {
        console_socket: args.handed.console_socket.clone(),
        pidfd_socket: args.handed.pidfd_socket.clone(),
        pid_file: args.handed.pid_file.clone(),
        preserve_fds: args.handed.preserved()?,
        cgroup: args.cgroup.clone(),
        ignore_paused: args.ignore_paused,
        attended: !args.detach,
    };
    let mut warnings = Vec::new();
    let executed = ctx.root.exec(&args.id, &options, |spec| match &args.process {
        Some(path) => load_process(path, &mut warnings),
        None => args.options.process(spec, &args.command),
    });
    ctx.warn_all(&warnings);
    let executed = executed.map_err(failed("exec in", &args.id))?;
    ctx.warn_all(&executed.warnings);
    let (pidfd, terminal) = (executed.pidfd, executed.terminal);
    Ok(Exec { pidfd, terminal, stdin: None, stdout: None, stderr: None, warnings: Vec::new() })
}
