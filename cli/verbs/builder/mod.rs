//! `lighter builder`: the cache of builds.

use std::time::Duration;

use jiff::Timestamp;
use lighter_engine::images::build::{Cache, CacheEntry, CacheFilter};

use crate::context::Context;
use crate::error::Failure;
use crate::ui::confirm;
use crate::ui::quantity::{since, size};
use crate::ui::table::table;
use crate::verbs::build::{self, BuildArgs};
use crate::verbs::run::parse;

/// Look at the cache of builds, and make it smaller
#[derive(clap::Subcommand)]
pub(crate) enum BuilderVerb {
    Build(Box<BuildArgs>),
    Du(DuArgs),
    Prune(PruneArgs),
}

/// Show what the cache of builds takes
#[derive(clap::Args)]
pub(crate) struct DuArgs {
    /// Whole descriptions
    #[arg(long)]
    no_trunc: bool,
}

/// Remove the cache of builds
#[derive(clap::Args)]
pub(crate) struct PruneArgs {
    /// Docker's; everything that is not in use goes anyway
    #[arg(short, long, hide = true)]
    all: bool,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    /// Only what was not used for so long: until=24h
    #[arg(long, value_name = "FILTER")]
    filter: Vec<String>,
    /// Bytes to keep; what was used longest ago goes first
    #[arg(long, value_name = "BYTES", alias = "max-used-space")]
    keep_storage: Option<String>,
}

/// Longest description shown, in characters.
const LONGEST: usize = 60;

pub(crate) fn run(ctx: &Context, verb: BuilderVerb) -> Result<std::process::ExitCode, Failure> {
    match verb {
        BuilderVerb::Build(args) => build::run(ctx, &args),
        BuilderVerb::Du(args) => du(ctx, &args).map(|()| std::process::ExitCode::SUCCESS),
        BuilderVerb::Prune(args) => prune(ctx, &args).map(|()| std::process::ExitCode::SUCCESS),
    }
}

fn du(ctx: &Context, args: &DuArgs) -> Result<(), Failure> {
    let engine = ctx.engine()?;
    let entries = Cache::open(engine.layout().root())?.entries()?;
    let rows: Vec<_> = entries.iter().map(|entry| row(entry, args.no_trunc)).collect();
    ctx.ui.line(table(&["ID", "KIND", "SIZE", "LAST USED", "STEP"], &rows))?;
    ctx.ui.line(format!("Total: {}", size(total(&entries))))
}

fn row(entry: &CacheEntry, no_trunc: bool) -> Vec<String> {
    let description: String = match no_trunc {
        true => entry.description.clone(),
        false => entry.description.chars().take(LONGEST).collect(),
    };
    let kind = if entry.is_mount { "mount" } else { "step" };
    let used = Timestamp::try_from(entry.used).map(since).unwrap_or_default();
    vec![entry.id.chars().take(18).collect(), kind.to_owned(), size(entry.size), used, description.replace('\n', " ")]
}

/// Adds up; a layer that several steps give counts once.
fn total(entries: &[CacheEntry]) -> u64 {
    let mut layers = std::collections::BTreeSet::new();
    entries
        .iter()
        .filter(|entry| entry.layer().is_none_or(|layer| layers.insert(layer.clone())))
        .map(|entry| entry.size)
        .sum()
}

fn prune(ctx: &Context, args: &PruneArgs) -> Result<(), Failure> {
    let _ = args.all;
    let mut filter =
        CacheFilter { unused_for: None, keep: args.keep_storage.as_deref().map(parse::bytes).transpose()? };
    for text in &args.filter {
        filter.unused_for = Some(until(text)?);
    }
    if !args.force && !confirm::ask(&ctx.ui, "WARNING! This will remove all build cache.")? {
        return Ok(());
    }
    let engine = ctx.recovered_engine()?;
    let removed = Cache::open(engine.layout().root())?.prune(filter)?;
    // The layers that nothing else needs go with the next sweep of the store: now.
    engine.images().prune(&|_| false)?;
    for entry in &removed {
        ctx.ui.line(&entry.id)?;
    }
    ctx.ui.line(format!("Total: {}", size(total(&removed))))
}

fn until(text: &str) -> Result<Duration, Failure> {
    let value = text.strip_prefix("until=").or_else(|| text.strip_prefix("unused-for="));
    let value = value.ok_or_else(|| Failure::text(format!("--filter `{text}`: use until=24h")))?;
    parse::duration(value)
}
