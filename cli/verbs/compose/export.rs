//! `lighter compose export`

use std::path::PathBuf;

use super::select;
use crate::args::ProjectArgs;
use crate::context::Context;
use crate::error::Failure;
use crate::verbs::output;

/// Write the files of a service's container to an archive, without what is in its volumes
#[derive(clap::Args)]
pub(crate) struct ExportArgs {
    /// Service
    service: String,
    /// File to write instead of stdout
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Number of the replica
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    index: u32,
}

pub(crate) fn run(ctx: &Context, project: &ProjectArgs, args: &ExportArgs) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    let name = super::project_name(ctx, project)?;
    let container = select::replica(&engine, &name, &args.service, args.index)?;
    output::write(args.output.as_deref(), |out| Ok(engine.export(&container, out)?))
}
