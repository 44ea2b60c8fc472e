//! `lighter compose images`

use serde_json::{Value, json};

use super::select;
use crate::args::ProjectArgs;
use crate::context::Context;
use crate::error::Failure;
use crate::ui::format::{self, Format};
use crate::ui::quantity;

/// List the images of the project's containers
#[derive(clap::Args)]
pub(crate) struct ImagesArgs {
    /// Services (default: all)
    services: Vec<String>,
    /// Only ids
    #[arg(short, long)]
    quiet: bool,
    /// `table`, `json`, or a template: '{{.ContainerName}} {{.Tag}}'
    #[arg(long, default_value = "table", hide_default_value = true)]
    format: Format,
}

const COLUMNS: [(&str, &str); 6] = [
    ("CONTAINER", "ContainerName"),
    ("REPOSITORY", "Repository"),
    ("TAG", "Tag"),
    ("PLATFORM", "Platform"),
    ("IMAGE ID", "ID"),
    ("SIZE", "Size"),
];

pub(crate) fn run(ctx: &Context, project: &ProjectArgs, args: &ImagesArgs) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    let name = super::project_name(ctx, project)?;
    let containers = select::containers(&engine, &name, &args.services)?;
    if args.quiet {
        let mut ids: Vec<_> = containers.iter().map(|container| container.spec.image.id.clone()).collect();
        ids.sort();
        ids.dedup();
        return ids.iter().try_for_each(|id| ctx.ui.line(id.trim_start_matches("sha256:")));
    }
    let mut rows: Vec<Value> = Vec::new();
    for container in &containers {
        let source = &container.spec.image;
        let image = engine.images().find(&source.id)?;
        // a `:` behind the last `/` begins a tag: before it, it may be a port
        let tagged = source.reference.rsplit_once(':').filter(|(_, tag)| !tag.contains('/'));
        let (repository, tag) = tagged.unwrap_or((&source.reference, "latest"));
        let id = source.id.trim_start_matches("sha256:");
        rows.push(json!({
            "ContainerName": container.spec.name,
            "Repository": repository,
            "Tag": tag,
            "Platform": image.as_ref().map(|i| format!("{}/{}", i.config.os(), i.config.architecture())),
            "ID": id.get(..12).unwrap_or(id),
            "Size": image.map(|image| quantity::size(image.size)),
        }));
    }
    let text = format::render(&args.format, &COLUMNS, &rows)?;
    if text.is_empty() { Ok(()) } else { ctx.ui.line(text) }
}
