//! `lighter network ls`

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use lighter_engine::netns::{Network, Range};
use lighter_engine::{DEFAULT_NETWORK, Engine};
use serde_json::{Value, json};

use super::super::image::filter::{is_true, pattern};
use super::super::logs::moment;
use super::prune::used;
use crate::context::Context;
use crate::error::Failure;
use crate::ui::format::{self, Format, LABELS};
use crate::ui::quantity;

#[derive(clap::Args)]
pub(crate) struct ListArgs {
    /// Only ids
    #[arg(short, long)]
    quiet: bool,
    /// Do not shorten ids
    #[arg(long)]
    no_trunc: bool,
    /// Only those that fit: name=, id=, driver=, label=, scope=, type=, dangling=
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// `table`, `json`, or a template: '{{.Name}}'
    #[arg(long, default_value = "table", hide_default_value = true)]
    format: Format,
}

const KEYS: &str = "name=, id=, driver=, label=, label!=, scope=, type=builtin|custom, dangling=true|false or until=";

const COLUMNS: [(&str, &str); 4] = [("NETWORK ID", "ID"), ("NAME", "Name"), ("DRIVER", "Driver"), ("SCOPE", "Scope")];

pub(super) fn run(ctx: &Context, engine: &Engine, args: &ListArgs) -> Result<(), Failure> {
    let mut networks = Vec::new();
    let used =
        if args.filter.iter().any(|filter| filter.starts_with("dangling=")) { used(engine)? } else { BTreeSet::new() };
    for network in engine.net().networks()? {
        let is_used = used.contains(&network.name) || network.name == DEFAULT_NETWORK;
        if fits(&network, &args.filter, is_used)? {
            networks.push(network);
        }
    }
    networks.sort_by(|a, b| a.name.cmp(&b.name));
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
        "IPv4": network.ipv4().is_some().to_string(),
        "IPv6": network.ipv6().is_some().to_string(),
        "Internal": network.internal.to_string(),
        "Labels": network.labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(","),
        "CreatedAt": created(network).map(quantity::local),
        LABELS: network.labels,
    })
}

/// Returns whether a network fits all filters; of one key, one that fits is enough, but all labels must be there.
pub(super) fn fits(network: &Network, filters: &[String], is_used: bool) -> Result<bool, Failure> {
    let mut by_key: BTreeMap<&str, bool> = BTreeMap::new();
    for filter in filters {
        let malformed = || Failure::text(format!("--filter `{filter}`: use {KEYS}"));
        let (key, value) = filter.split_once('=').ok_or_else(malformed)?;
        let has_label = |label: &str| match label.split_once('=') {
            Some((name, value)) => network.labels.get(name).is_some_and(|label| label == value),
            None => network.labels.contains_key(label),
        };
        let fits = match key {
            "name" => pattern(value)?.is_match(&network.name),
            "id" => network.id.starts_with(value),
            "driver" => network.driver.word() == value,
            "label" => has_label(value),
            "label!" => !has_label(value),
            "scope" => value == "local",
            "type" if value == "builtin" || value == "custom" => {
                (network.name == DEFAULT_NETWORK) == (value == "builtin")
            }
            "dangling" => is_true(value).ok_or_else(malformed)? != is_used,
            "until" => created(network).is_some_and(|created| moment(value).is_ok_and(|until| created < until)),
            _ => return Err(malformed()),
        };
        let so_far = by_key.entry(key).or_insert(key.starts_with("label"));
        *so_far = if key.starts_with("label") { *so_far && fits } else { *so_far || fits };
    }
    Ok(by_key.into_values().all(|fits| fits))
}

fn created(network: &Network) -> Option<Timestamp> {
    Timestamp::from_nanosecond(i128::from(network.created)).ok()
}
