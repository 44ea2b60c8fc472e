//! `lighter compose version`

use serde_json::json;

use crate::context::Context;
use crate::error::Failure;

/// Show our version
#[derive(clap::Args)]
pub(crate) struct VersionArgs {
    /// Only the number
    #[arg(long)]
    short: bool,
    /// Output format
    #[arg(short, long, value_parser = ["pretty", "json"], default_value = "pretty")]
    format: String,
}

pub(crate) fn run(ctx: &Context, args: &VersionArgs) -> Result<(), Failure> {
    let version = env!("CARGO_PKG_VERSION");
    match (args.short, args.format.as_str()) {
        (true, _) => ctx.ui.line(version),
        (false, "json") => ctx.ui.line(json!({"version": version}).to_string()),
        (false, _) => ctx.ui.line(format!("lighter compose version {version}")),
    }
}
