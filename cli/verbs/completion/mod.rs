//! `lighter completion`, and what its scripts ask for.

mod candidates;

use clap::CommandFactory;
use clap_complete::env::Shells;
use clap_complete::{CompleteEnv, Shell};

use crate::args::Cli;
use crate::context::Context;
use crate::error::Failure;

/// Variable by which a script asks for candidates; its value is the shell.
const VARIABLE: &str = "LIGHTER_COMPLETE";

/// Print the completion script of a shell
///
/// The script asks lighter at each key, so that containers, images, services, networks, volumes and contexts are known by
/// name. bash: source <(lighter completion bash)
#[derive(clap::Args)]
pub(crate) struct CompletionArgs {
    /// Which shell
    shell: Shell,
    /// What lighter is called there, as with `alias docker=lighter`
    #[arg(long, value_name = "NAME", default_value = "lighter")]
    command: String,
}

pub(crate) fn run(ctx: &Context, args: &CompletionArgs) -> Result<(), Failure> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if !args.command.chars().all(plain) || !args.command.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Err(Failure::text(format!("--command `{}`: use letters, digits and _ - . only", args.command)));
    }
    let shells = Shells::builtins();
    let shell = shells.completer(&args.shell.to_string());
    let shell = shell.ok_or_else(|| Failure::text(format!("completion for `{}` is not supported", args.shell)))?;
    let mut script = Vec::new();
    shell.write_registration(VARIABLE, "lighter", &args.command, "lighter", &mut script)?;
    ctx.ui.write(&script)
}

/// Answers a script that asks for candidates; returns whether one did.
pub(crate) fn answered() -> bool {
    let factory = || candidates::attach(Cli::command());
    let arguments = std::env::args_os();
    let here = std::env::current_dir().ok();
    // a script that cannot be answered gets nothing: no error belongs on a line that is being typed
    CompleteEnv::with_factory(factory).var(VARIABLE).try_complete(arguments, here.as_deref()).unwrap_or(true)
}
