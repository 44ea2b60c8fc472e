//! `lighter system prune`

use jiff::Timestamp;
use lighter_engine::images::build::{Cache, CacheEntry};
use lighter_engine::{Container, DEFAULT_NETWORK, Engine, RemoveOptions};

use super::super::image::{filter, prune};
use super::super::logs::moment;
use super::super::network::prune::used;
use crate::context::Context;
use crate::error::Failure;
use crate::ui::{confirm, quantity};

/// Label of volumes that were made for one container.
const ANONYMOUS: &str = "com.docker.volume.anonymous";

/// Remove everything that nothing uses
#[derive(clap::Args)]
pub(crate) struct PruneArgs {
    /// All unused images, not only those without a name
    #[arg(short, long)]
    all: bool,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    /// Anonymous volumes too
    #[arg(long)]
    volumes: bool,
    /// Only what fits: until=, label=, label!=
    #[arg(long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
}

pub(crate) fn run(ctx: &Context, args: &PruneArgs) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    let images = filter::Filter::parse(&args.filter, filter::PRUNING, engine.images())?;
    let conditions = Conditions::parse(&args.filter)?;
    if args.volumes && conditions.until.is_some() {
        return Err(Failure::text("--filter `until=` says nothing about volumes: leave --volumes out"));
    }
    if !args.force && !confirm::ask(&ctx.ui, &warning(args))? {
        return Ok(());
    }
    let mut bytes = containers(ctx, &engine, &conditions)?;
    networks(ctx, &engine, &conditions)?;
    if args.volumes {
        bytes += volumes(ctx, &engine, &conditions)?;
    }
    bytes += build_cache(ctx, &engine, &conditions)?;
    let pruned = prune::prune(&engine, args.all, &images)?;
    section(ctx, "Deleted Images:", &pruned.removed.iter().map(prune::describe).collect::<Vec<_>>())?;
    ctx.ui.line(format!("Total reclaimed space: {}", quantity::size(bytes + pruned.bytes)))
}

/// Remove containers that have ended
#[derive(clap::Args)]
pub(crate) struct ContainerPruneArgs {
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    /// Only those that fit: until=, label=, label!=
    #[arg(long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
}

pub(in crate::verbs) fn container_prune(ctx: &Context, args: &ContainerPruneArgs) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    filter::Filter::parse(&args.filter, filter::PRUNING, engine.images())?; // the keys are the same
    let conditions = Conditions::parse(&args.filter)?;
    if !args.force && !confirm::ask(&ctx.ui, "WARNING! This will remove all stopped containers.")? {
        return Ok(());
    }
    let bytes = containers(ctx, &engine, &conditions)?;
    ctx.ui.line(format!("Total reclaimed space: {}", quantity::size(bytes)))
}

fn warning(args: &PruneArgs) -> String {
    let images =
        if args.all { "all images without at least one container associated to them" } else { "all dangling images" };
    let volumes = if args.volumes { "  - all anonymous volumes not used by at least one container\n" } else { "" };
    let filters = if args.filter.is_empty() {
        String::new()
    } else {
        format!("\nItems to be pruned will be filtered with: {}", args.filter.join(", "))
    };
    format!(
        "WARNING! This will remove:\n  - all stopped containers\n  - all networks not used by at least one container\n{volumes}  - {images}\n  - the build cache\n{filters}"
    )
}

/// What containers, networks and volumes must be like.
struct Conditions {
    until: Option<Timestamp>,
    labels: Vec<String>,
    not_labels: Vec<String>,
}

impl Conditions {
    /// Reads texts whose keys have been checked.
    fn parse(texts: &[String]) -> Result<Conditions, Failure> {
        let mut conditions = Conditions { until: None, labels: Vec::new(), not_labels: Vec::new() };
        for (key, value) in texts.iter().filter_map(|text| text.split_once('=')) {
            match key {
                "until" => conditions.until = Some(moment(value)?),
                "label" => conditions.labels.push(value.to_owned()),
                _ => conditions.not_labels.push(value.to_owned()),
            }
        }
        Ok(conditions)
    }

    fn fit<'a>(&self, created: Option<Timestamp>, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        let has = |wanted: &String| match wanted.split_once('=') {
            Some((name, value)) => label(name) == Some(value),
            None => label(wanted).is_some(),
        };
        let is_older = self.until.is_none_or(|until| created.is_some_and(|created| created < until));
        is_older && self.labels.iter().all(has) && !self.not_labels.iter().any(has)
    }
}

fn containers(ctx: &Context, engine: &Engine, conditions: &Conditions) -> Result<u64, Failure> {
    // of one whose record is damaged nobody knows whether it is wanted
    let fits = |one: &Container| {
        let has_ended = !one.state.status.is_active() && !one.is_damaged;
        has_ended && conditions.fit(one.state.created_at, |name| one.label(name))
    };
    let (mut bytes, mut removed) = (0, Vec::new());
    for container in engine.containers()?.into_iter().filter(fits) {
        let size = engine.container_size(&container).unwrap_or(0);
        // One that was started meanwhile stays.
        if engine.remove(&container, RemoveOptions::default()).is_ok() {
            bytes += size;
            removed.push(container.id);
        }
    }
    section(ctx, "Deleted Containers:", &removed)?;
    Ok(bytes)
}

fn networks(ctx: &Context, engine: &Engine, conditions: &Conditions) -> Result<(), Failure> {
    let used = used(engine)?;
    let mut removed = Vec::new();
    for network in engine.net().networks()? {
        let created = Timestamp::from_nanosecond(i128::from(network.created)).ok();
        let is_needed = network.name == DEFAULT_NETWORK || used.contains(&network.name);
        let fits = conditions.fit(created, |name| network.labels.get(name).map(String::as_str));
        // One that a container was plugged into meanwhile stays.
        if !is_needed && fits && engine.delete_network(&network.id).is_ok() {
            removed.push(network.name);
        }
    }
    section(ctx, "Deleted Networks:", &removed)
}

fn volumes(ctx: &Context, engine: &Engine, conditions: &Conditions) -> Result<u64, Failure> {
    let (mut bytes, mut removed) = (0, Vec::new());
    for volume in engine.volumes()? {
        let fits = conditions.fit(None, |name| volume.labels.get(name).map(String::as_str));
        if !volume.labels.contains_key(ANONYMOUS) || !fits {
            continue;
        }
        let size = engine.volume_size(&volume).unwrap_or(0);
        // One that a container has stays.
        if engine.remove_volume(&volume.name).is_ok() {
            bytes += size;
            removed.push(volume.name);
        }
    }
    section(ctx, "Deleted Volumes:", &removed)?;
    Ok(bytes)
}

/// Removes the cache of builds; what has no labels fits no filter by them. Returns the bytes of what is no layer: layers that
/// nothing needs any more go with the images.
fn build_cache(ctx: &Context, engine: &Engine, conditions: &Conditions) -> Result<u64, Failure> {
    let fits = |entry: &CacheEntry| conditions.fit(Timestamp::try_from(entry.used).ok(), |_| None);
    let removed = Cache::open(engine.layout().root())?.prune(None, &fits)?;
    let ids: Vec<_> = removed.iter().map(|entry| entry.id.clone()).collect();
    section(ctx, "Deleted build cache objects:", &ids)?;
    Ok(removed.iter().filter(|entry| entry.is_mount).map(|entry| entry.size).sum())
}

pub(in crate::verbs) fn section(ctx: &Context, heading: &str, lines: &[String]) -> Result<(), Failure> {
    if lines.is_empty() {
        return Ok(());
    }
    ctx.ui.line(heading)?;
    lines.iter().try_for_each(|line| ctx.ui.line(line))?;
    ctx.ui.line("")
}
