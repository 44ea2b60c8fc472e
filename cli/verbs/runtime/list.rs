//! `lighter runtime list`

use super::RuntimeContext;
use crate::error::Failure;
use crate::ui::table;

/// List containers
#[derive(clap::Args)]
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
        let ids: String = containers.iter().map(|listed| format!("{}\n", listed.state.id)).collect();
        return ctx.print(&ids);
    }
    if args.format == "json" {
        let mut all = Vec::new();
        for listed in &containers {
            let mut state = serde_json::to_value(&listed.state)?;
            state["owner"] = listed.owner.clone().into();
            all.push(state);
        }
        return ctx.print(&format!("{}\n", serde_json::Value::from(all)));
    }
    let rows: Vec<Vec<String>> = containers
        .iter()
        .map(|listed| {
            let state = &listed.state;
            let bundle = state.bundle.display().to_string();
            let cells = [state.id.clone(), state.pid.to_string(), state.status.to_string(), bundle];
            cells.into_iter().chain([state.created.clone(), listed.owner.clone()]).collect()
        })
        .collect();
    ctx.print(&format!("{}\n", table::table(&["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"], &rows)))
}
