//! `lighter compose attach`

use std::process::ExitCode;

use super::select;
use crate::args::ProjectArgs;
use crate::context::Context;
use crate::error::Failure;
use crate::verbs::attach::{self, AttachFlags};

/// Join our terminal to a running container of a service
#[derive(clap::Args)]
pub(crate) struct AttachArgs {
    /// Service
    service: String,
    /// Number of the replica
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    index: u32,
    #[command(flatten)]
    flags: AttachFlags,
}

pub(crate) fn run(ctx: &Context, project: &ProjectArgs, args: &AttachArgs) -> Result<ExitCode, Failure> {
    let engine = ctx.recovered_engine()?;
    let name = super::project_name(ctx, project)?;
    let container = select::replica(&engine, &name, &args.service, args.index)?;
    attach::join(&engine, &container, &args.flags)
}
