//! `lighter network ls`

use lighter_engine::Engine;
use lighter_engine::netns::{Network, Range};
use serde_json::{Value, json};

use crate::context::Context;
use crate::error::Failure;
use crate::ui::format::{self, Format};

#[derive(clap::Args)]
pub(crate) struct ListArgs {
    /// Only ids
    #[arg(short, long)]
    quiet: bool,
    /// Do not shorten ids
    #[arg(long)]
    no_trunc: bool,
    /// Only those that fit: name=, id=, driver=, label=
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// `table`, `json`, or a template: '{{.Name}}'
    #[arg(long, default_value = "table", hide_default_value = true)]
    format: Format,
}

const COLUMNS: [(&str, &str); 4] = [("NETWORK ID", "ID"), ("NAME", "Name"), ("DRIVER", "Driver"), ("SUBNET", "Subnet")];

pub(super) fn run(ctx: &Context, engine: &Engine, args: &ListArgs) -> Result<(), Failure> {
    let mut networks = Vec::new();
    for network in engine.net().networks()? {
        if fits(&network, &args.filter)? {
            networks.push(network);
        }
    }
    let id = |network: &Network| if args.no_trunc { network.id.clone() } else { network.id[..12].to_owned() };
    if args.quiet {
        return networks.iter().try_for_each(|network| ctx.ui.line(id(network)));
    }
    let rows: Vec<_> = networks.iter().map(|network| row(network, &id(network))).collect();
    let text = format::render(&args.format, &COLUMNS, &rows)?;
    if text.is_empty() { Ok(()) } else { ctx.ui.line(text) }
}

fn row(network: &Network, id: &str) -> Value {
    let subnets: Vec<_> = network.ranges.iter().map(|range: &Range| range.subnet.to_string()).collect();
    json!({
        "ID": id,
        "Name": network.name,
        "Driver": network.driver.word(),
        "Scope": "local",
        "Subnet": subnets.join(", "),
        "IPv4": network.ipv4().is_some(),
        "IPv6": network.ipv6().is_some(),
        "Internal": network.internal,
        "Labels": network.labels,
    })
}

/// Returns whether a network fits all filters.
pub(super) fn fits(network: &Network, filters: &[String]) -> Result<bool, Failure> {
    for filter in filters {
        let malformed = || Failure::text(format!("--filter `{filter}`: use name=, id=, driver= or label="));
        let (key, value) = filter.split_once('=').ok_or_else(malformed)?;
        let fits = match key {
            "name" => network.name.contains(value),
            "id" => network.id.starts_with(value),
            "driver" => network.driver.word() == value,
            "label" => match value.split_once('=') {
                Some((name, value)) => network.labels.get(name).is_some_and(|label| label == value),
                None => network.labels.contains_key(value),
            },
            _ => return Err(malformed()),
        };
        if !fits {
            return Ok(false);
        }
    }
    Ok(true)
}
