//! `lighter images`

use lighter_engine::images::reference::Reference;
use lighter_engine::images::store::Image;
use serde_json::{Value, json};

use super::image::filter::{Filter, LOOKING, made};
use crate::context::Context;
use crate::error::Failure;
use crate::ui::format::{self, Format};
use crate::ui::quantity;

/// List images, newest first
#[derive(clap::Args)]
pub(crate) struct ImagesArgs {
    /// Only images of this name, which may have `*` and `?`
    name: Option<String>,
    /// Show all images; none is hidden without it either, as there are no intermediate ones
    #[arg(short, long)]
    all: bool,
    /// Only ids
    #[arg(short, long)]
    quiet: bool,
    /// Do not shorten ids
    #[arg(long)]
    no_trunc: bool,
    /// Show digests
    #[arg(long)]
    digests: bool,
    /// Only those that fit: dangling=, label=, label!=, before=, since=, reference=, until=
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// Show below each image those for other platforms that its name stands for
    #[arg(long, conflicts_with_all = ["quiet", "no_trunc", "digests", "format"])]
    tree: bool,
    /// `table`, `json`, or a template: '{{.Repository}}:{{.Tag}}'
    #[arg(long, default_value = "table", hide_default_value = true)]
    format: Format,
}

const COLUMNS: [(&str, &str); 6] = [
    ("REPOSITORY", "Repository"),
    ("TAG", "Tag"),
    ("DIGEST", "Digest"),
    ("IMAGE ID", "ID"),
    ("CREATED", "CreatedSince"),
    ("SIZE", "Size"),
];

pub(crate) fn run(ctx: &Context, args: &ImagesArgs) -> Result<(), Failure> {
    let engine = ctx.engine()?;
    let mut filter = Filter::parse(&args.filter, LOOKING, engine.images())?;
    if let Some(name) = &args.name {
        filter.named(name);
    }
    let mut images = engine.images().list()?;
    images.retain(|image| filter.fits(image));
    images.sort_by_key(|image| std::cmp::Reverse(made(image)));
    if args.tree {
        return super::image::tree::show(ctx, &engine, &images);
    }
    let rows: Vec<_> = images.iter().flat_map(|image| rows(image, &filter, args.no_trunc)).collect();
    if args.quiet {
        return rows.iter().filter_map(|row| row["ID"].as_str()).try_for_each(|id| ctx.ui.line(id));
    }
    let columns: Vec<_> = COLUMNS.into_iter().filter(|(heading, _)| args.digests || *heading != "DIGEST").collect();
    let text = format::render(&args.format, &columns, &rows)?;
    if text.is_empty() { Ok(()) } else { ctx.ui.line(text) }
}

/// Returns a row for each of an image's names that is meant; one without names has one row.
fn rows(image: &Image, filter: &Filter, no_trunc: bool) -> Vec<Value> {
    let names: Vec<Option<&Reference>> =
        if image.references.is_empty() { vec![None] } else { image.references.iter().map(Some).collect() };
    names.into_iter().filter(|name| filter.fits_name(*name)).map(|name| row(image, name, no_trunc)).collect()
}

/// Returns one row of the table, with docker's fields.
pub(super) fn row(image: &Image, name: Option<&Reference>, no_trunc: bool) -> Value {
    let none = || "<none>".to_owned();
    let created = made(image);
    json!({
        "Repository": name.map_or_else(none, Reference::familiar_name),
        "Tag": name.and_then(Reference::tag).map_or_else(none, str::to_owned),
        "ID": if no_trunc { image.id.to_string() } else { image.id.short().to_owned() },
        "Digest": name.and_then(|name| digest_of(image, name)).unwrap_or_else(none),
        "CreatedAt": created.map_or_else(|| "N/A".to_owned(), quantity::local),
        "CreatedSince": created.map_or_else(|| "N/A".to_owned(), |then| format!("{} ago", quantity::since(then))),
        "Size": quantity::size(image.size),
        "VirtualSize": quantity::size(image.size),
        "SharedSize": "N/A",
        "UniqueSize": "N/A",
        "Containers": "N/A",
    })
}

/// The digest under which a registry served the repository's image.
fn digest_of(image: &Image, name: &Reference) -> Option<String> {
    let prefix = format!("{}@", name.familiar_name());
    image.repo_digests.iter().find_map(|served| served.strip_prefix(&prefix)).map(str::to_owned)
}
