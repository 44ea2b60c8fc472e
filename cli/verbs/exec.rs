//! `lighter exec`

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

use lighter_engine::ExecSpec;
use lighter_engine::runtime::sealed;

use super::target;
use crate::context::Context;
use crate::error::Failure;
use crate::session::{self, DetachKeys, Joining};
use crate::verbs::run::explain::{Explain, Explanation};

/// Run a command in a running container
#[derive(clap::Args)]
pub(crate) struct ExecArgs {
    /// Container, or service of the project in this folder
    container: String,
    /// Command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
    #[command(flatten)]
    pub(crate) how: ExecOptions,
}

/// How the command is run
#[derive(clap::Args, Clone, Default)]
pub(crate) struct ExecOptions {
    /// Keep stdin open
    #[arg(short, long)]
    pub(crate) interactive: bool,
    /// Give it a terminal
    #[arg(short, long)]
    pub(crate) tty: bool,
    /// Set a variable; a name alone takes our own value
    #[arg(short, long, value_name = "NAME=VALUE")]
    pub(crate) env: Vec<String>,
    /// File with variables, one a line
    #[arg(long, value_name = "FILE")]
    pub(crate) env_file: Vec<PathBuf>,
    /// User, as `name`, `uid` or `user:group`
    #[arg(short, long)]
    pub(crate) user: Option<String>,
    /// Working directory
    #[arg(short, long)]
    pub(crate) workdir: Option<String>,
    /// All capabilities
    #[arg(long)]
    pub(crate) privileged: bool,
    /// Return as soon as it runs
    #[arg(short, long)]
    pub(crate) detach: bool,
    /// Keys that leave a process with a terminal alone, as `ctrl-p,ctrl-q`
    #[arg(long, value_name = "KEYS")]
    pub(crate) detach_keys: Option<DetachKeys>,
    /// Show how the process came into the container, step by step; `json`: as objects
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, require_equals = true, default_missing_value = "text")]
    pub(crate) explain: Option<Explain>,
}

pub(crate) fn run(ctx: &Context, args: &ExecArgs) -> Result<ExitCode, Failure> {
    // before anything else: what enters a container runs from a sealed copy, and single-threaded
    sealed::ensure()?;
    let engine = ctx.recovered_engine()?;
    let container = target::find_one(ctx, &engine, &args.container)?;
    execute(ctx, &engine, &container, args.command.clone(), &args.how)
}

/// Executes a command in a container and joins our terminal or pipes to it; returns the command's own exit code.
pub(crate) fn execute(
    ctx: &Context,
    engine: &lighter_engine::Engine,
    container: &lighter_engine::Container,
    args: Vec<String>,
    how: &ExecOptions,
) -> Result<ExitCode, Failure> {
    if !how.detach {
        session::check_terminal(how.tty, how.interactive)?;
    }
    if !container.state.status.is_active() {
        return Err(Failure::text(format!("container `{}` is not running", container.spec.name)));
    }
    let terminal = (how.tty && !how.detach).then(|| session::size().unwrap_or((24, 80)));
    let spec = ExecSpec {
        args,
        env: environment(ctx, how)?,
        user: how.user.clone(),
        working_dir: how.workdir.clone(),
        terminal,
        open_stdin: how.interactive && terminal.is_none() && !how.detach,
        privileged: how.privileged,
        detached: how.detach,
    };
    let explanation = how.explain.map(Explanation::begin).transpose()?;
    let started = engine.exec(container, &spec);
    explanation.map_or(Ok(()), |explanation| explanation.show(ctx, &container.id))?;
    let exec = started.map_err(|error| {
        let code = error.exit_code();
        Failure::from(error).with_code(code)
    })?;
    exec.warnings.iter().for_each(|warning| ctx.ui.warn(warning));
    if how.detach {
        return Ok(ExitCode::SUCCESS);
    }
    let keys = terminal.map(|_| how.detach_keys.clone().unwrap_or_default());
    let Some(code) = session::pump(exec, Joining { detach_keys: keys, ..Joining::default() })? else {
        ctx.ui.note("read escape sequence");
        return Ok(ExitCode::SUCCESS);
    };
    engine.tell_of(container, "exec_die");
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
}

fn environment(ctx: &Context, how: &ExecOptions) -> Result<Vec<String>, Failure> {
    let files = how.env_file.iter().map(|path| super::run::env_file(ctx, path)).collect::<Result<Vec<_>, _>>()?;
    Ok(files.into_iter().flatten().chain(how.env.iter().map(|text| super::run::variable(ctx, text))).collect())
}

/// Returns whether both ends of a conversation are a terminal.
pub(crate) fn on_terminal() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}
