//! `lighter runtime list`

use super::RuntimeContext;
use crate::error::Failure;
use crate::ui::table;

/// List containers
#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    /// As a table or as JSON
    #[arg(short, long, default_value = "table", value_parser = ["table", "json"])]
    format: String,
    /// Print ids only
    #[arg(short, long)]
    quiet: bool,
}

pub(super) fn run(ctx: &RuntimeContext, args: &ListArgs) -> Result<(), Failure> {
    let containers = ctx.root.list()?;
    if args.quiet {
        let ids: String = containers.iter().map(|state| format!("{}\n", state.id)).collect();
        return ctx.print(&ids);
    }
    if args.format == "json" {
        return ctx.print(&format!("{}\n", serde_json::to_string(&containers)?));
    }
    let rows: Vec<Vec<String>> = containers
        .iter()
        .map(|state| {
            let bundle = state.bundle.display().to_string();
            let cells = [state.id.clone(), state.pid.to_string(), state.status.to_string(), bundle];
            cells.into_iter().chain([state.created.clone(), state.owner.clone()]).collect()
        })
        .collect();
    ctx.print(&format!("{}\n", table::table(&["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"], &rows)))
}
