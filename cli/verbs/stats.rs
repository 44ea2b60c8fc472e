//! `lighter stats`

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::Instant;

use lighter_engine::{Container, Engine, Usage};
use nix::poll::PollTimeout;
use serde_json::{Value, json};

use super::target;
use crate::context::Context;
use crate::error::Failure;
use crate::ui::format::{self, Format};
use crate::ui::quantity;

/// Pause between two looks, in milliseconds: processor time is told by the difference.
const PAUSE: u16 = 1000;

/// Show what containers use
#[derive(clap::Args)]
pub(crate) struct StatsArgs {
    /// Containers, or services of the project in this folder (default: all that run)
    containers: Vec<String>,
    #[command(flatten)]
    flags: StatsFlags,
}

/// How figures are shown
#[derive(clap::Args, Clone)]
pub(crate) struct StatsFlags {
    /// Those that do not run too
    #[arg(short, long)]
    all: bool,
    /// Once, instead of every second
    #[arg(long)]
    no_stream: bool,
    /// Do not shorten ids
    #[arg(long)]
    no_trunc: bool,
    /// `table`, `json`, or a template: '{{.Name}} {{.CPUPerc}}'
    #[arg(long, default_value = "table", hide_default_value = true)]
    format: Format,
}

const COLUMNS: [(&str, &str); 8] = [
    ("CONTAINER ID", "ID"),
    ("NAME", "Name"),
    ("CPU %", "CPUPerc"),
    ("MEM USAGE / LIMIT", "MemUsage"),
    ("MEM %", "MemPerc"),
    ("NET I/O", "NetIO"),
    ("BLOCK I/O", "BlockIO"),
    ("PIDS", "PIDs"),
];

pub(crate) fn run(ctx: &Context, args: &StatsArgs) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    // Who names a container wants its row, whether it runs or not.
    let flags = StatsFlags { all: args.flags.all || !args.containers.is_empty(), ..args.flags.clone() };
    show(ctx, &engine, &flags, || {
        let mut found = Vec::new();
        for name in &args.containers {
            found.extend(target::find(ctx, &engine, name)?);
        }
        Ok(if args.containers.is_empty() { engine.containers()? } else { found })
    })
}

/// Shows the figures of what `find` finds, once or until nobody looks any more.
pub(crate) fn show(
    ctx: &Context,
    engine: &Engine,
    flags: &StatsFlags,
    find: impl Fn() -> Result<Vec<Container>, Failure>,
) -> Result<(), Failure> {
    let redraws = !flags.no_stream && flags.format == Format::Table && std::io::stdout().is_terminal();
    let mut before = BTreeMap::new();
    let mut since = look(engine, &find()?, &mut before)?;
    loop {
        let _ = nix::poll::poll(&mut [], PollTimeout::from(PAUSE)); // a signal only makes the pause shorter
        let mut containers = find()?;
        containers.retain(|container| flags.all || container.state.status.is_active());
        let mut now = BTreeMap::new();
        let at = look(engine, &containers, &mut now)?;
        let elapsed = (at - since).as_nanos().max(1);
        let row = |container: &Container| {
            row(container, now.get(&container.id), before.get(&container.id), (elapsed, flags.no_trunc))
        };
        let rows: Vec<Value> = containers.iter().map(row).collect();
        if redraws {
            ctx.ui.write(b"\x1b[H\x1b[J")?; // home, and erase what is below (ECMA-48)
        }
        ctx.ui.line(format::render(&flags.format, &COLUMNS, &rows)?)?;
        if flags.no_stream {
            return Ok(());
        }
        (before, since) = (now, at);
    }
}

fn look(engine: &Engine, containers: &[Container], found: &mut BTreeMap<String, Usage>) -> Result<Instant, Failure> {
    for container in containers {
        // it has ended between the two looks: no figures, no error
        if let Ok(Some(usage)) = engine.usage(container) {
            found.insert(container.id.clone(), usage);
        }
    }
    Ok(Instant::now())
}

fn row(container: &Container, now: Option<&Usage>, before: Option<&Usage>, shown: (u128, bool)) -> Value {
    let (elapsed, no_trunc) = shown;
    let id = if no_trunc { container.id.as_str() } else { container.short_id() };
    let name = &container.spec.name;
    let Some(now) = now else {
        return json!({"ID": id, "Container": id, "Name": name, "CPUPerc": "--", "MemUsage": "-- / --", "MemPerc": "--",
            "NetIO": "-- / --", "BlockIO": "-- / --", "PIDs": "--"});
    };
    let used = now.cgroup.cpu_ns.saturating_sub(before.map_or(now.cgroup.cpu_ns, |before| before.cgroup.cpu_ns));
    let memory = now.cgroup.memory_usage.saturating_sub(now.cgroup.memory_inactive_file);
    let limit = now.cgroup.memory_limit.unwrap_or_else(host_memory);
    let pair = |a: u64, b: u64| format!("{} / {}", quantity::size(a), quantity::size(b));
    json!({
        "ID": id,
        "Container": id,
        "Name": name,
        "CPUPerc": format!("{:.2}%", used as f64 * 100.0 / elapsed as f64),
        "MemUsage": format!("{} / {}", quantity::binary_size(memory), quantity::binary_size(limit)),
        "MemPerc": format!("{:.2}%", memory as f64 * 100.0 / limit.max(1) as f64),
        "NetIO": pair(now.network.received, now.network.sent),
        "BlockIO": pair(now.cgroup.io_read_bytes, now.cgroup.io_write_bytes),
        "PIDs": now.cgroup.pids.to_string(),
    })
}

/// Returns the memory of the host in bytes: `MemTotal` of /proc/meminfo, in kB.
pub(super) fn host_memory() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok());
    total.unwrap_or(0u64) * 1024
}
