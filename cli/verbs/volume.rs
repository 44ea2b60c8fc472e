//! `lighter volume`

use std::collections::BTreeMap;

use lighter_engine::Volume;
use serde_json::{Value, json};

use super::target::last_of;
use crate::context::Context;
use crate::error::Failure;
use crate::ui::format::{self, Format};

/// Manage volumes
#[derive(clap::Subcommand)]
pub(crate) enum VolumeVerb {
    /// Make a volume
    Create {
        /// Its name (default: made up)
        name: Option<String>,
        /// Label
        #[arg(short, long, value_name = "NAME=VALUE")]
        label: Vec<String>,
    },
    /// List volumes
    #[command(visible_alias = "list")]
    Ls {
        /// Only names
        #[arg(short, long)]
        quiet: bool,
        /// `table`, `json`, or a template: '{{.Name}}'
        #[arg(long, default_value = "table", hide_default_value = true)]
        format: Format,
    },
    /// Show everything about volumes
    Inspect {
        /// Volumes
        #[arg(required = true)]
        names: Vec<String>,
        /// A template instead of JSON
        #[arg(short, long)]
        format: Option<Format>,
    },
    /// Remove volumes and their content
    #[command(visible_alias = "remove")]
    Rm {
        /// Volumes
        #[arg(required = true)]
        names: Vec<String>,
    },
}

pub(crate) fn run(ctx: &Context, verb: &VolumeVerb) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    match verb {
        VolumeVerb::Create { name, label } => {
            let labels: BTreeMap<String, String> = label
                .iter()
                .map(|text| text.split_once('=').unwrap_or((text, "")))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            let name = name.clone().unwrap_or_else(lighter_engine::random_name);
            ctx.ui.line(engine.ensure_volume(&name, labels)?.name)
        }
        VolumeVerb::Ls { quiet, format } => {
            let volumes = engine.volumes()?;
            if *quiet {
                return volumes.iter().try_for_each(|volume| ctx.ui.line(&volume.name));
            }
            let rows: Vec<_> = volumes.iter().map(object).collect();
            let text = format::render(format, &[("DRIVER", "Driver"), ("VOLUME NAME", "Name")], &rows)?;
            if text.is_empty() { Ok(()) } else { ctx.ui.line(text) }
        }
        VolumeVerb::Inspect { names, format } => {
            let find = |name: &String| engine.volume(name)?.ok_or_else(|| no_such(name));
            let objects = names.iter().map(|name| find(name).map(|volume| object(&volume)));
            super::inspect::show(ctx, &objects.collect::<Result<Vec<_>, Failure>>()?, format.as_ref())
        }
        VolumeVerb::Rm { names } => {
            let mut failures = Vec::new();
            for name in names {
                match engine.remove_volume(name) {
                    Ok(()) => ctx.ui.line(name)?,
                    Err(error) => failures.push(error.into()),
                }
            }
            last_of(failures, &ctx.ui)
        }
    }
}

fn no_such(name: &str) -> Failure {
    Failure::text(format!("no such volume: {name}"))
}

/// Returns a volume as docker shows it.
pub(crate) fn object(volume: &Volume) -> Value {
    json!({
        "Name": volume.name,
        "Driver": "local",
        "Mountpoint": volume.mountpoint,
        "CreatedAt": volume.created_at,
        "Labels": volume.labels,
        "Scope": "local",
        "Options": null,
    })
}
