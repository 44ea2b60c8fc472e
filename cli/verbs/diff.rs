//! `lighter diff`

use lighter_engine::ChangeKind;

use super::target;
use crate::context::Context;
use crate::error::Failure;

/// List what a container has changed in its image's files: A added, C changed, D deleted
#[derive(clap::Args)]
pub(crate) struct DiffArgs {
    /// Container, or service of the project in this folder
    container: String,
}

pub(crate) fn run(ctx: &Context, args: &DiffArgs) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    let container = target::find_one(ctx, &engine, &args.container)?;
    engine.diff(&container)?.iter().try_for_each(|change| {
        let letter = match change.kind {
            ChangeKind::Added => 'A',
            ChangeKind::Changed => 'C',
            ChangeKind::Deleted => 'D',
        };
        ctx.ui.line(format!("{letter} {}", crate::ui::printable(&change.path.display().to_string())))
    })
}
