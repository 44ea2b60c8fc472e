//! `lighter ps`

mod filter;
mod row;

use lighter_engine::{Container, Engine};
use serde_json::Value;

use crate::context::Context;
use crate::error::Failure;
use crate::ui::format::{self, Format};

use filter::Filter;
pub(crate) use row::{health, networks, ports, row, status};

/// List containers
#[derive(clap::Args)]
pub(crate) struct PsArgs {
    /// Those that have ended too
    #[arg(short, long)]
    all: bool,
    /// Only ids
    #[arg(short, long)]
    quiet: bool,
    /// Do not shorten ids and commands
    #[arg(long)]
    no_trunc: bool,
    /// Only the N made last, whatever their state
    #[arg(short = 'n', long, value_name = "N", allow_negative_numbers = true)]
    last: Option<i64>,
    /// Only the one made last, whatever its state
    #[arg(short, long)]
    latest: bool,
    /// Show what they take on the disk
    #[arg(short, long)]
    size: bool,
    /// `table`, `json`, or a template: '{{.Names}} {{.Status}}'
    #[arg(long, default_value = "table", hide_default_value = true)]
    format: Format,
    /// Only those that fit: name=, id=, label=, status=, health=, exited=, ancestor=, before=, since=, volume=, network=,
    /// publish=, expose=, is-task=
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
}

const COLUMNS: [(&str, &str); 8] = [
    ("CONTAINER ID", "ID"),
    ("IMAGE", "Image"),
    ("COMMAND", "Command"),
    ("CREATED", "RunningFor"),
    ("STATUS", "Status"),
    ("PORTS", "Ports"),
    ("NAMES", "Names"),
    ("SIZE", "Size"),
];

pub(crate) fn run(ctx: &Context, args: &PsArgs) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    let shown = chosen(&engine, args)?;
    if args.quiet {
        return shown.iter().try_for_each(|c| ctx.ui.line(if args.no_trunc { &c.id } else { c.short_id() }));
    }
    let has_size = args.size || args.format.mentions("Size");
    let rows = shown.iter().map(|one| sized(&engine, one, args.no_trunc, has_size)).collect::<Result<Vec<_>, _>>()?;
    let columns = if args.size { &COLUMNS[..] } else { &COLUMNS[..COLUMNS.len() - 1] };
    let text = format::render(&args.format, columns, &rows)?;
    if text.is_empty() { Ok(()) } else { ctx.ui.line(text) }
}

/// Returns the containers that are meant, newest first, as docker has it.
fn chosen(engine: &Engine, args: &PsArgs) -> Result<Vec<Container>, Failure> {
    let mut containers = engine.containers()?;
    containers.reverse();
    let filter = Filter::parse(engine, &containers, &args.filter)?;
    let last = if args.latest {
        Some(1)
    } else {
        args.last.and_then(|last| usize::try_from(last).ok()).filter(|last| *last > 0)
    };
    let is_any = args.all || last.is_some() || filter.has_status();
    containers.retain(|container| (is_any || container.state.status.is_active()) && filter.fits(container));
    containers.truncate(last.unwrap_or(usize::MAX));
    Ok(containers)
}

fn sized(engine: &Engine, container: &Container, no_trunc: bool, has_size: bool) -> Result<Value, Failure> {
    let mut row = row(container, no_trunc);
    if has_size {
        row["Size"] = Value::from(row::size(engine, container)?);
    }
    Ok(row)
}
