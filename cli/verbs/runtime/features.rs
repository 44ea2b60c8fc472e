//! `lighter runtime features`

use lighter_engine::runtime::oci::features;

use super::RuntimeContext;
use crate::error::Failure;

/// Print what of the OCI runtime specification is carried out, as JSON
#[derive(Debug, clap::Args)]
pub(super) struct FeaturesArgs {}

pub(super) fn run(ctx: &RuntimeContext, _: &FeaturesArgs) -> Result<(), Failure> {
    ctx.print(&format!("{}\n", serde_json::to_string_pretty(&features())?))
}
