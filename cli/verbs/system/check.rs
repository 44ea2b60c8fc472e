//! `lighter system check`

use lighter_engine::Checked;
use lighter_engine::images::progress::Silent;

use crate::context::Context;
use crate::error::{FAILED, Failure};
use crate::ui::quantity;

/// Read everything in the image store again and compare it with its digests
#[derive(clap::Args)]
pub(crate) struct CheckArgs {
    /// Mend what is damaged: unpack layers again, remove what cannot be mended and what is left over
    #[arg(long)]
    repair: bool,
    /// Say nothing unless something is damaged
    #[arg(short, long)]
    quiet: bool,
}

pub(crate) fn run(ctx: &Context, args: &CheckArgs) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    if args.repair {
        for repaired in engine.repair(&Silent)? {
            ctx.ui.line(repaired.to_string())?;
        }
    }
    let checked = engine.check()?;
    show(ctx, &checked, args.quiet)?;
    if checked.is_clean() { Ok(()) } else { Err(Failure::silent(FAILED)) }
}

fn show(ctx: &Context, checked: &Checked, quiet: bool) -> Result<(), Failure> {
    let images = &checked.images;
    if !quiet {
        images.leftovers.iter().try_for_each(|leftover| ctx.ui.line(format!("left over: {leftover}")))?;
        let foreign = images.foreign.iter();
        foreign
            .clone()
            .try_for_each(|name| ctx.ui.line(format!("not checked: `{name}`, which another tool put here")))?;
    }
    let faults = images.faults.iter().map(ToString::to_string).chain(checked.faults.iter().cloned());
    faults.clone().try_for_each(|fault| ctx.ui.line(format!("damaged: {fault}")))?;
    if quiet {
        return Ok(());
    }
    ctx.ui.line(format!(
        "{} images, {} blobs of {}, {} layers, {} containers: {}",
        images.images,
        images.blobs,
        quantity::size(images.bytes),
        images.layers,
        checked.containers,
        if checked.is_clean() { "whole".to_owned() } else { format!("{} faults", faults.count()) }
    ))
}
