//! `lighter compose exec`

use std::process::ExitCode;

use lighter_engine::runtime::sealed;

use super::select;
use crate::args::ProjectArgs;
use crate::context::Context;
use crate::error::Failure;
use crate::verbs::exec::{self, ExecOptions};
use crate::verbs::run::explain::Explain;

/// Run a command in a service's running container
#[derive(clap::Args)]
pub(crate) struct ExecArgs {
    /// Service
    service: String,
    /// Command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
    /// No terminal (default: a terminal if ours is one)
    #[arg(short = 'T', long = "no-tty", alias = "no-TTY")]
    no_tty: bool,
    /// A terminal (the default if ours is one)
    #[arg(short, long, conflicts_with = "no_tty")]
    tty: bool,
    /// Keep stdin open (the default)
    #[arg(short, long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    interactive: bool,
    /// Return as soon as it runs
    #[arg(short, long)]
    detach: bool,
    /// Number of the replica
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    index: u32,
    /// Set a variable; a name alone takes our own value
    #[arg(short, long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// User, as `name`, `uid` or `user:group`
    #[arg(short, long)]
    user: Option<String>,
    /// Working directory
    #[arg(short, long)]
    workdir: Option<String>,
    /// All capabilities
    #[arg(long)]
    privileged: bool,
    /// Show how the process came into the container, step by step; `json`: as objects
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, require_equals = true, default_missing_value = "text")]
    explain: Option<Explain>,
}

pub(crate) fn run(ctx: &Context, project: &ProjectArgs, args: &ExecArgs) -> Result<ExitCode, Failure> {
    // before anything else: what enters a container runs from a sealed copy, and single-threaded
    sealed::ensure()?;
    let engine = ctx.recovered_engine()?;
    let name = super::project_name(ctx, project)?;
    let container = select::replica(&engine, &name, &args.service, args.index)?;
    let options = ExecOptions {
        env_file: Vec::new(),
        interactive: args.interactive,
        tty: args.tty || (!args.no_tty && exec::on_terminal()),
        detach: args.detach,
        detach_keys: None,
        env: args.env.clone(),
        user: args.user.clone(),
        workdir: args.workdir.clone(),
        privileged: args.privileged,
        explain: args.explain,
    };
    exec::execute(ctx, &engine, &container, args.command.clone(), &options)
}
