//! `lighter create`

use super::run::RunFlags;
use crate::context::Context;
use crate::error::Failure;
use crate::remote::Visit;

/// Make a container without starting it
#[derive(clap::Args)]
#[command(disable_help_flag = true)] // -h is the host name, as docker's
pub(crate) struct CreateArgs {
    #[command(flatten)]
    flags: RunFlags,
}

impl CreateArgs {
    /// Tells of the files that are read and written, as [`RunFlags::files`].
    pub(crate) fn files(&mut self, on: Visit<'_>) -> Result<(), Failure> {
        self.flags.files(on)
    }
}

pub(crate) fn run(ctx: &Context, args: &CreateArgs) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    let container = super::run::create(ctx, &engine, &args.flags)?;
    ctx.ui.line(container.id)
}
