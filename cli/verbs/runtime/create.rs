//! `lighter runtime create`

use super::bundle::BundleArgs;
use super::{RuntimeContext, failed};
use crate::error::Failure;

/// Set a container up; its program waits for `start`
#[derive(clap::Args)]
pub(super) struct CreateArgs {
    #[command(flatten)]
    bundle: BundleArgs,
    /// Name of the container, unique below --root
    id: String,
}

pub(super) fn run(ctx: &RuntimeContext, args: &CreateArgs) -> Result<(), Failure> {
    let options = args.bundle.options(ctx)?;
    let warnings = ctx.root.create(&args.id, &options).map_err(failed("create", &args.id))?;
    ctx.warn_all(&warnings);
    Ok(())
}
