//! `lighter images`

use lighter_engine::images::store::Image;
use serde_json::{Value, json};

use crate::context::Context;
use crate::error::Failure;
use crate::ui::format::{self, Format};
use crate::ui::quantity;

/// List images
#[derive(clap::Args)]
pub(crate) struct ImagesArgs {
    /// Only images of this name
    name: Option<String>,
    /// Only ids
    #[arg(short, long)]
    quiet: bool,
    /// Do not shorten ids
    #[arg(long)]
    no_trunc: bool,
    /// `table`, `json`, or a template: '{{.Repository}}:{{.Tag}}'
    #[arg(long, default_value = "table", hide_default_value = true)]
    format: Format,
}

const COLUMNS: [(&str, &str); 5] =
    [("REPOSITORY", "Repository"), ("TAG", "Tag"), ("IMAGE ID", "ID"), ("CREATED", "CreatedSince"), ("SIZE", "Size")];

pub(crate) fn run(ctx: &Context, args: &ImagesArgs) -> Result<(), Failure> {
    let engine = ctx.engine()?;
    let mut rows = Vec::new();
    for image in engine.images().list()? {
        rows.extend(rows_of(&image, args));
    }
    if let Some(name) = &args.name {
        let (repository, tag) = split(name);
        rows.retain(|row| row["Repository"] == repository && tag.is_none_or(|tag| row["Tag"] == tag));
    }
    if args.quiet {
        return rows.iter().filter_map(|row| row["ID"].as_str()).try_for_each(|id| ctx.ui.line(id));
    }
    let text = format::render(&args.format, &COLUMNS, &rows)?;
    if text.is_empty() { Ok(()) } else { ctx.ui.line(text) }
}

fn rows_of(image: &Image, args: &ImagesArgs) -> Vec<Value> {
    let id = if args.no_trunc { image.id.to_string() } else { image.id.short().to_owned() };
    let created = image.config.created().as_ref().and_then(|text| text.parse().ok());
    let row = |repository: &str, tag: &str| {
        json!({
            "Repository": repository,
            "Tag": tag,
            "ID": id,
            "Digest": image.repo_digests.first().and_then(|digest| digest.split_once('@')).map_or("<none>", |(_, d)| d),
            "CreatedAt": image.config.created(),
            "CreatedSince": created.map_or_else(|| "N/A".to_owned(), |then| format!("{} ago", quantity::since(then))),
            "Size": quantity::size(image.size),
        })
    };
    if image.references.is_empty() {
        return vec![row("<none>", "<none>")];
    }
    let references = image.references.iter();
    references.map(|reference| row(&reference.familiar_name(), reference.tag().unwrap_or("<none>"))).collect()
}

fn split(name: &str) -> (&str, Option<&str>) {
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
        _ => (name, None),
    }
}
