//! `lighter image prune`

use lighter_engine::Engine;
use lighter_engine::images::store::{Image, Pruned, Removed};

use super::filter::{Filter, PRUNING_IMAGES};
use crate::context::Context;
use crate::error::Failure;
use crate::ui::{confirm, quantity};

/// Remove images that nothing uses
#[derive(clap::Args)]
pub(crate) struct ImagePruneArgs {
    /// Those with a name too, not only the ones without
    #[arg(short, long)]
    all: bool,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    /// Only those that fit: until=, label=, label!=, dangling=false (as --all)
    #[arg(long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
}

pub(crate) fn run(ctx: &Context, args: &ImagePruneArgs) -> Result<(), Failure> {
    let engine = ctx.engine()?;
    let mut filter = Filter::parse(&args.filter, PRUNING_IMAGES, engine.images())?;
    // docker's older word for --all
    let all = filter.take_dangling().map_or(args.all, |dangling| !dangling);
    let what = if all { "all images without at least one container associated to them" } else { "all dangling images" };
    if !args.force && !confirm::ask(&ctx.ui, &format!("WARNING! This will remove {what}."))? {
        return Ok(());
    }
    let pruned = prune(&engine, all, &filter)?;
    if !pruned.removed.is_empty() {
        ctx.ui.line("Deleted Images:")?;
        pruned.removed.iter().try_for_each(|one| ctx.ui.line(describe(one)))?;
        ctx.ui.line("")?;
    }
    ctx.ui.line(format!("Total reclaimed space: {}", quantity::size(pruned.bytes)))
}

/// Removes images that nothing uses: those without a name, or `all`.
pub(crate) fn prune(engine: &Engine, all: bool, filter: &Filter) -> Result<Pruned, Failure> {
    let users = std::cell::OnceCell::new();
    let is_unwanted = |image: &Image| {
        // Looked at once the store's lock is held. What cannot be read might use any image.
        let users = users.get_or_init(|| engine.image_users().ok());
        let is_unused = users.as_ref().is_some_and(|users| users.of(&image.id).is_none());
        is_unused && (all || image.references.is_empty()) && filter.fits(image)
    };
    let pruned = engine.images().prune(&is_unwanted)?;
    pruned.removed.iter().for_each(|one| super::super::rmi::tell(engine, one));
    match users.into_inner() {
        Some(None) => {
            Err(engine.image_users().err().map_or_else(|| Failure::text("look for users of images"), Failure::from))
        }
        _ => Ok(pruned),
    }
}

/// Says what was done as docker's prune does.
pub(crate) fn describe(removed: &Removed) -> String {
    match removed {
        Removed::Untagged(name) => format!("untagged: {name}"),
        Removed::Deleted(id) => format!("deleted: {id}"),
    }
}
