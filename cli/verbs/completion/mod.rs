//! `lighter completion`

use clap::CommandFactory;

use crate::args::Cli;
use crate::context::Context;
use crate::error::Failure;

/// Print the completion script of a shell
#[derive(clap::Args)]
pub(crate) struct CompletionArgs {
    /// Which shell
    shell: clap_complete::Shell,
}

pub(crate) fn run(ctx: &Context, args: &CompletionArgs) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "lighter", &mut script);
    ctx.ui.write(&script)
}
