//! `lighter network`

use std::net::Ipv4Addr;

use lighter_engine::Engine;
use lighter_engine::netns::{Network, NetworkSpec};
use serde_json::{Map, Value, json};

use super::target::last_of;
use crate::context::Context;
use crate::error::Failure;
use crate::ui::format::{self, Format};

/// Manage networks
#[derive(clap::Subcommand)]
pub(crate) enum NetworkVerb {
    /// Make a network
    Create {
        /// Its name
        name: String,
        /// Subnet, as `10.1.0.0/24` (default: a free one)
        #[arg(long)]
        subnet: Option<String>,
        /// Address of the host on it
        #[arg(long)]
        gateway: Option<Ipv4Addr>,
        /// No way in or out but between its containers
        #[arg(long)]
        internal: bool,
        /// Label
        #[arg(long, value_name = "NAME=VALUE")]
        label: Vec<String>,
        /// Driver: only `bridge`
        #[arg(short, long, value_parser = ["bridge"], default_value = "bridge")]
        driver: String,
    },
    /// List networks
    #[command(visible_alias = "list")]
    Ls {
        /// Only ids
        #[arg(short, long)]
        quiet: bool,
        /// `table`, `json`, or a template: '{{.Name}}'
        #[arg(long, default_value = "table", hide_default_value = true)]
        format: Format,
    },
    /// Show everything about networks
    Inspect {
        /// Networks, by name or id
        #[arg(required = true)]
        names: Vec<String>,
        /// A template instead of JSON
        #[arg(short, long)]
        format: Option<Format>,
    },
    /// Remove networks
    #[command(visible_alias = "remove")]
    Rm {
        /// Networks, by name or id
        #[arg(required = true)]
        names: Vec<String>,
    },
}

const COLUMNS: [(&str, &str); 4] = [("NETWORK ID", "ID"), ("NAME", "Name"), ("DRIVER", "Driver"), ("SUBNET", "Subnet")];

pub(crate) fn run(ctx: &Context, verb: &NetworkVerb) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    match verb {
        NetworkVerb::Create { name, subnet, gateway, internal, label, driver: _ } => {
            let subnet = subnet.as_deref().map(str::parse).transpose();
            let labels = label.iter().map(|text| text.split_once('=').unwrap_or((text, "")));
            let spec = NetworkSpec {
                name: name.clone(),
                subnet: subnet.map_err(|error| Failure::text(format!("--subnet: {error}")))?,
                gateway: *gateway,
                internal: *internal,
                labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
                ..NetworkSpec::default()
            };
            ctx.ui.line(engine.net().create_network(&spec)?.id)
        }
        NetworkVerb::Ls { quiet, format } => list(ctx, &engine, *quiet, format),
        NetworkVerb::Inspect { names, format } => {
            let objects = names.iter().map(|name| object(&engine, &find(&engine, name)?));
            super::inspect::show(ctx, &objects.collect::<Result<Vec<_>, Failure>>()?, format.as_ref())
        }
        NetworkVerb::Rm { names } => {
            let mut failures = Vec::new();
            for name in names {
                let removed = find(&engine, name).and_then(|network| Ok(engine.net().delete_network(&network.id)?));
                match removed {
                    Ok(()) => ctx.ui.line(name)?,
                    Err(failure) => failures.push(failure),
                }
            }
            last_of(failures, &ctx.ui)
        }
    }
}

fn list(ctx: &Context, engine: &Engine, quiet: bool, format: &Format) -> Result<(), Failure> {
    let networks = engine.net().networks()?;
    if quiet {
        return networks.iter().try_for_each(|network| ctx.ui.line(&network.id[..12]));
    }
    let row = |network: &Network| {
        json!({
            "ID": &network.id[..12],
            "Name": network.name,
            "Driver": "bridge",
            "Scope": "local",
            "Subnet": network.subnet.to_string(),
            "Internal": network.internal,
            "Labels": network.labels,
        })
    };
    let text = format::render(format, &COLUMNS, &networks.iter().map(row).collect::<Vec<_>>())?;
    if text.is_empty() { Ok(()) } else { ctx.ui.line(text) }
}

fn find(engine: &Engine, name: &str) -> Result<Network, Failure> {
    engine.net().network(name)?.ok_or_else(|| Failure::text(format!("no such network: {name}")))
}

/// Returns a network as docker shows it.
pub(super) fn object(engine: &Engine, network: &Network) -> Result<Value, Failure> {
    let mut containers = Map::new();
    for endpoint in engine.net().endpoints(&network.id)? {
        let object = json!({
            "Name": endpoint.names.first(),
            "MacAddress": endpoint.mac,
            "IPv4Address": format!("{}/{}", endpoint.address, endpoint.prefix),
        });
        containers.insert(endpoint.container, object);
    }
    let created = jiff::Timestamp::from_nanosecond(i128::from(network.created))?;
    Ok(json!({
        "Name": network.name,
        "Id": network.id,
        "Created": created,
        "Scope": "local",
        "Driver": "bridge",
        "EnableIPv4": true,
        "EnableIPv6": false,
        "Internal": network.internal,
        "IPAM": {"Driver": "default", "Config": [{"Subnet": network.subnet, "Gateway": network.gateway}]},
        "Bridge": network.bridge,
        "Containers": containers,
        "Options": network.options,
        "Labels": network.labels,
    }))
}
