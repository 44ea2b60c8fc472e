//! `lighter compose volumes`

use std::collections::BTreeSet;

use super::select;
use crate::args::ProjectArgs;
use crate::context::Context;
use crate::error::Failure;
use crate::ui::format::{self, Format};
use crate::verbs::target::PROJECT;
use crate::verbs::volume;

/// List the project's volumes
#[derive(clap::Args)]
pub(crate) struct VolumesArgs {
    /// Only volumes that these services use
    services: Vec<String>,
    /// Only names
    #[arg(short, long)]
    quiet: bool,
    /// `table`, `json`, or a template: '{{.Name}}'
    #[arg(long, default_value = "table", hide_default_value = true)]
    format: Format,
}

pub(crate) fn run(ctx: &Context, project: &ProjectArgs, args: &VolumesArgs) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    let name = super::project_name(ctx, project)?;
    let mut volumes = engine.volumes()?;
    volumes.retain(|volume| volume.labels.get(PROJECT) == Some(&name));
    if !args.services.is_empty() {
        let used: BTreeSet<String> = select::containers(&engine, &name, &args.services)?
            .into_iter()
            .flat_map(|container| container.spec.volumes().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        volumes.retain(|volume| used.contains(&volume.name));
    }
    if args.quiet {
        return volumes.iter().try_for_each(|volume| ctx.ui.line(&volume.name));
    }
    let rows: Vec<_> = volumes.iter().map(volume::object).collect();
    let text = format::render(&args.format, &[("DRIVER", "Driver"), ("VOLUME NAME", "Name")], &rows)?;
    if text.is_empty() { Ok(()) } else { ctx.ui.line(text) }
}
