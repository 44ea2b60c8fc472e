//! `lighter volume`

use std::collections::BTreeMap;

use lighter_engine::{Engine, Volume, VolumeSpec};
use serde_json::{Value, json};

use super::image::filter::{is_true, pattern};
use super::system::prune::section;
use super::target::last_of;
use crate::context::Context;
use crate::error::Failure;
use crate::ui::format::{self, Format, Inspection, LABELS};
use crate::ui::{confirm, quantity};

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
        /// What is mounted there: `type=nfs`, `device=:/path`, `o=addr=host,rw`
        #[arg(short, long = "opt", value_name = "NAME=VALUE")]
        option: Vec<String>,
        /// Only `local`
        #[arg(short, long, default_value = "local", value_parser = ["local"])]
        driver: String,
        /// Its name, as docker had it once
        #[arg(long = "name", value_name = "NAME", hide = true, conflicts_with = "name")]
        named: Option<String>,
    },
    /// List volumes
    #[command(visible_alias = "list")]
    Ls {
        /// Only names
        #[arg(short, long)]
        quiet: bool,
        /// Only those that fit: name=TEXT, label=NAME[=VALUE], dangling=true|false, driver=local
        #[arg(short, long, value_name = "KEY=VALUE")]
        filter: Vec<String>,
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
        format: Option<Inspection>,
    },
    /// Remove volumes and their content
    #[command(visible_alias = "remove")]
    Rm {
        /// Volumes
        #[arg(required = true)]
        names: Vec<String>,
        /// A volume that is not there is no failure
        #[arg(short, long)]
        force: bool,
    },
    /// Remove anonymous volumes that no container has
    Prune {
        /// Named ones too
        #[arg(short, long)]
        all: bool,
        /// Do not ask
        #[arg(short, long)]
        force: bool,
        /// Only those that fit: label=NAME[=VALUE], label!=NAME[=VALUE]
        #[arg(long, value_name = "KEY=VALUE")]
        filter: Vec<String>,
    },
}

pub(crate) fn run(ctx: &Context, verb: &VolumeVerb) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    match verb {
        VolumeVerb::Create { name, label, option, named, .. } => {
            let name = name.clone().or_else(|| named.clone()).unwrap_or_else(lighter_engine::random_name);
            let spec = VolumeSpec { name, labels: pairs(label), options: pairs(option) };
            ctx.ui.line(engine.ensure_volume(&spec)?.name)
        }
        VolumeVerb::Ls { quiet, filter, format } => {
            let mut volumes = engine.volumes()?;
            retain(&engine, &mut volumes, filter)?;
            if *quiet {
                return volumes.iter().try_for_each(|volume| ctx.ui.line(&volume.name));
            }
            let rows: Vec<_> = volumes.iter().map(row).collect();
            let text = format::render(format, &[("DRIVER", "Driver"), ("VOLUME NAME", "Name")], &rows)?;
            if text.is_empty() { Ok(()) } else { ctx.ui.line(text) }
        }
        VolumeVerb::Inspect { names, format } => super::inspect::each(ctx, names, format.as_ref(), |name| {
            let volume = engine.volume(name)?.ok_or_else(|| no_such(name))?;
            Ok(vec![object(&volume)])
        }),
        VolumeVerb::Rm { names, force } => {
            let mut failures = Vec::new();
            for name in names {
                match engine.remove_volume(name) {
                    Ok(()) => ctx.ui.line(name)?,
                    // as docker: it is gone, whoever removed it
                    Err(lighter_engine::VolumeError::NotFound(_)) if *force => ctx.ui.line(name)?,
                    Err(error) => failures.push(error.into()),
                }
            }
            last_of(failures, &ctx.ui)
        }
        VolumeVerb::Prune { all, force, filter } => {
            let what = if *all { "all volumes" } else { "all anonymous volumes" };
            let warning = format!("WARNING! This will remove {what} that no container has.");
            match *force || confirm::ask(&ctx.ui, &warning)? {
                true => prune(ctx, &engine, *all, filter),
                false => Ok(()),
            }
        }
    }
}

fn prune(ctx: &Context, engine: &Engine, all: bool, filter: &[String]) -> Result<(), Failure> {
    let mut filter = filter.to_vec();
    // docker's other word for --all
    let all = filter.extract_if(.., |text| matches!(text.as_str(), "all=true" | "all=1")).count() > 0 || all;
    let mut volumes = engine.unused_volumes()?;
    volumes.retain(|volume| all || lighter_engine::is_anonymous_volume(volume));
    retain(engine, &mut volumes, &filter)?;
    let (mut bytes, mut removed, mut failures) = (0, Vec::new(), Vec::new());
    for volume in volumes {
        let size = engine.volume_size(&volume).unwrap_or(0);
        match engine.remove_volume(&volume.name) {
            Ok(()) => {
                bytes += size;
                removed.push(volume.name);
            }
            Err(error) => failures.push(error.into()),
        }
    }
    section(ctx, "Deleted Volumes:", &removed)?;
    ctx.ui.line(format!("Total reclaimed space: {}", quantity::size(bytes)))?;
    last_of(failures, &ctx.ui)
}

/// Leaves the volumes that all filters take.
fn retain(engine: &Engine, volumes: &mut Vec<Volume>, filters: &[String]) -> Result<(), Failure> {
    for filter in filters {
        let malformed = || {
            Failure::text(format!("--filter `{filter}`: use name=, label=, label!=, dangling=true|false or driver="))
        };
        let (key, value) = filter.split_once('=').ok_or_else(malformed)?;
        let has_label = |volume: &Volume| match value.split_once('=') {
            Some((name, value)) => volume.labels.get(name).is_some_and(|own| own == value),
            None => volume.labels.contains_key(value),
        };
        match key {
            "name" => {
                let name = pattern(value)?;
                volumes.retain(|volume| name.is_match(&volume.name));
            }
            "driver" => volumes.retain(|_| value == "local"),
            "label" => volumes.retain(has_label),
            "label!" => volumes.retain(|volume| !has_label(volume)),
            "dangling" => {
                let wanted = is_true(value).ok_or_else(malformed)?;
                let unused = engine.unused_volumes()?;
                volumes.retain(|volume| unused.iter().any(|other| other.name == volume.name) == wanted);
            }
            _ => return Err(malformed()),
        }
    }
    Ok(())
}

fn pairs(texts: &[String]) -> BTreeMap<String, String> {
    let pair = |text: &String| {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        (name.to_owned(), value.to_owned())
    };
    texts.iter().map(pair).collect()
}

fn no_such(name: &str) -> Failure {
    Failure::text(format!("no such volume: {name}"))
}

/// Returns docker's fields of a row.
fn row(volume: &Volume) -> Value {
    let labels = volume.labels.iter().map(|(name, value)| format!("{name}={value}"));
    json!({
        "Name": volume.name,
        "Driver": "local",
        "Scope": "local",
        "Mountpoint": volume.mountpoint,
        "Labels": labels.collect::<Vec<_>>().join(","),
        "Links": "N/A",
        "Size": "N/A",
        LABELS: volume.labels,
    })
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
        "Options": if volume.options.is_empty() { Value::Null } else { json!(volume.options) },
    })
}
