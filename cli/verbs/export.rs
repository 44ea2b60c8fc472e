//! `lighter export`

use std::path::PathBuf;

use super::{output, target};
use crate::context::Context;
use crate::error::Failure;

/// Write a container's files to an archive, without what is in its volumes
#[derive(clap::Args)]
pub(crate) struct ExportArgs {
    /// Container, or service of the project in this folder
    container: String,
    /// File to write instead of stdout
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

pub(crate) fn run(ctx: &Context, args: &ExportArgs) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    let container = target::find_one(ctx, &engine, &args.container)?;
    output::write(args.output.as_deref(), |out| Ok(engine.export(&container, out)?))
}
