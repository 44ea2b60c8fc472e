//! `lighter man`

use std::path::PathBuf;

use clap::CommandFactory;

use crate::args::Cli;
use crate::context::Context;
use crate::error::Failure;

/// Write a man page for every verb
#[derive(clap::Args)]
pub(crate) struct ManArgs {
    /// Folder to write them to, as `/usr/local/share/man/man1`
    folder: PathBuf,
}

pub(crate) fn run(ctx: &Context, args: &ManArgs) -> Result<(), Failure> {
    let written =
        std::fs::create_dir_all(&args.folder).and_then(|()| clap_mangen::generate_to(Cli::command(), &args.folder));
    written.map_err(|error| Failure::text(format!("write man pages to `{}`: {error}", args.folder.display())))?;
    ctx.ui.line(args.folder.display().to_string())
}
