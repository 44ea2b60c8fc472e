//! `lighter builder`: the cache of builds.

mod filter;

use jiff::Timestamp;
use lighter_engine::images::build::{Cache, CacheEntry};

use self::filter::Filter;
use crate::context::Context;
use crate::error::Failure;
use crate::ui::confirm;
use crate::ui::quantity::{since, size};
use crate::ui::table::table;
use crate::verbs::build::{self, BuildArgs};
use crate::verbs::elsewhere::{self, ElsewhereArgs};
use crate::verbs::run::parse;

/// Look at the cache of builds, and make it smaller
#[derive(clap::Subcommand)]
pub(crate) enum BuilderVerb {
    Build(Box<BuildArgs>),
    Du(DuArgs),
    Prune(PruneArgs),
    /// Show the version
    Version,
    #[command(hide = true)]
    Bake(ElsewhereArgs),
    #[command(hide = true)]
    Imagetools(ElsewhereArgs),
    #[command(hide = true, aliases = ["use", "ls", "inspect", "rm", "stop"])]
    Create(ElsewhereArgs),
}

/// Show what the cache of builds takes
#[derive(clap::Args)]
pub(crate) struct DuArgs {
    /// Whole descriptions
    #[arg(long, alias = "verbose")]
    no_trunc: bool,
    /// Only these: until=24h, id=ID, type=regular|exec.cachemount, description=TEXT
    #[arg(long, value_name = "FILTER")]
    filter: Vec<String>,
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
    /// Only these: until=24h (not used for so long), id=ID, type=regular|exec.cachemount, description=TEXT
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
        BuilderVerb::Version => version(ctx).map(|()| std::process::ExitCode::SUCCESS),
        BuilderVerb::Bake(_) => Err(elsewhere::bake()),
        BuilderVerb::Imagetools(_) => Err(elsewhere::manifest()),
        BuilderVerb::Create(_) => Err(elsewhere::builders()),
    }
}

/// By which scripts find out whether there is buildx.
fn version(ctx: &Context) -> Result<(), Failure> {
    ctx.ui.line(format!("lighter builder {}", env!("CARGO_PKG_VERSION")))
}

fn du(ctx: &Context, args: &DuArgs) -> Result<(), Failure> {
    let engine = ctx.engine()?;
    let filter = Filter::of(&args.filter)?;
    let mut entries = Cache::open(engine.layout().root())?.entries()?;
    entries.retain(|entry| filter.matches(entry));
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
pub(crate) fn total(entries: &[CacheEntry]) -> u64 {
    let mut layers = std::collections::BTreeSet::new();
    entries
        .iter()
        .filter(|entry| entry.layer().is_none_or(|layer| layers.insert(layer.clone())))
        .map(|entry| entry.size)
        .sum()
}

fn prune(ctx: &Context, args: &PruneArgs) -> Result<(), Failure> {
    let _ = args.all;
    let filter = Filter::of(&args.filter)?;
    let keep = args.keep_storage.as_deref().map(parse::bytes).transpose()?;
    if !args.force && !confirm::ask(&ctx.ui, "WARNING! This will remove all build cache.")? {
        return Ok(());
    }
    let engine = ctx.recovered_engine()?;
    let removed = Cache::open(engine.layout().root())?.prune(keep, &|entry| filter.matches(entry))?;
    // The layers that nothing else needs go with the next sweep of the store: now.
    engine.images().prune(&|_| false)?;
    for entry in &removed {
        ctx.ui.line(&entry.id)?;
    }
    ctx.ui.line(format!("Total: {}", size(total(&removed))))
}
