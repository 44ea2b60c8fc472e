//! `lighter runtime events`

use std::time::Duration;

use lighter_engine::runtime::cgroup::DetailedStats;
use lighter_engine::runtime::oci::Event;
use serde_json::json;

use super::{RuntimeContext, failed};
use crate::error::Failure;
use crate::verbs::run::parse;

/// Print figures of a container, and when the kernel kills for want of memory, a JSON line each
#[derive(Debug, clap::Args)]
pub(super) struct EventsArgs {
    /// Time between two lines of figures
    #[arg(long, value_name = "DURATION", default_value = "5s")]
    interval: String,
    /// Print the figures once
    #[arg(long)]
    stats: bool,
    /// Name of the container
    id: String,
}

pub(super) fn run(ctx: &RuntimeContext, args: &EventsArgs) -> Result<(), Failure> {
    let id = args.id.as_str();
    if args.stats {
        let stats = ctx.root.stats(id).map_err(failed("measure", id))?;
        return ctx.print(&stats_line(id, &stats)?);
    }
    let interval = parse::duration(&args.interval)?;
    if interval < Duration::from_millis(1) {
        return Err(Failure::text(format!("`--interval {}`: it must be longer than nothing", args.interval)));
    }
    let mut events = ctx.root.events(id, interval).map_err(failed("watch", id))?;
    while let Some(event) = events.next_event().map_err(failed("watch", id))? {
        match event {
            Event::Stats(stats) => ctx.print(&stats_line(id, &stats)?)?,
            Event::Oom => ctx.print(&format!("{}\n", json!({"type": "oom", "id": id})))?,
        }
    }
    Ok(())
}

fn stats_line(id: &str, stats: &DetailedStats) -> Result<String, Failure> {
    Ok(format!("{}\n", json!({"type": "stats", "id": id, "data": serde_json::to_value(stats)?})))
}
