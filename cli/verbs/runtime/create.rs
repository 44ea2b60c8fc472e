//! `lighter runtime create`

use super::bundle::BundleArgs;
use super::{RuntimeContext, failed};
use crate::error::Failure;

/// Set a container up; its program waits for `start`
#[derive(Debug, clap::Args)]
pub(super) struct CreateArgs {
    #[command(flatten)]
    pub(super) bundle: BundleArgs,
    /// Name of the container, unique below --root
    pub(super) id: String,
}

pub(super) fn run(ctx: &RuntimeContext, args: &CreateArgs) -> Result<(), Failure> {
    let options = args.bundle.options(ctx)?;
    let mut warnings = Vec::new();
    let created = ctx.root.create(&args.id, &options, &mut warnings);
    ctx.warn_all(&warnings);
    created.map_err(failed("create", &args.id))
}
