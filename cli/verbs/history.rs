//! `lighter history`

use jiff::Timestamp;
use lighter_engine::images::platform::Platform;
use lighter_engine::images::store::Image;
use serde_json::{Value, json};

use crate::context::Context;
use crate::error::Failure;
use crate::ui::format::{self, Format};
use crate::ui::quantity;

/// Show how an image was made, newest step first
#[derive(clap::Args)]
pub(crate) struct HistoryArgs {
    /// The image, by name or id
    image: String,
    /// Sizes and ages for people; `false` for bytes and times
    #[arg(short = 'H', long, num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true", hide_default_value = true)]
    human: Option<bool>,
    /// Do not shorten ids and commands
    #[arg(long)]
    no_trunc: bool,
    /// Only ids
    #[arg(short, long)]
    quiet: bool,
    /// That of the image for this platform, where the name stands for several: `linux/arm64`
    #[arg(long)]
    platform: Option<Platform>,
    /// `table`, `json`, or a template: '{{.ID}} {{.CreatedBy}}'
    #[arg(long, default_value = "table", hide_default_value = true)]
    format: Format,
}

/// Longest command in a table, in characters, as docker cuts it.
const LONGEST_COMMAND: usize = 45;

pub(crate) fn run(ctx: &Context, args: &HistoryArgs) -> Result<(), Failure> {
    let image = super::image::find(&ctx.engine()?, &args.image, args.platform.as_ref())?;
    let rows = rows(&image, args);
    if args.quiet {
        return rows.iter().filter_map(|row| row["ID"].as_str()).try_for_each(|id| ctx.ui.line(id));
    }
    let created = if is_human(args) { ("CREATED", "CreatedSince") } else { ("CREATED AT", "CreatedAt") };
    let columns = [("IMAGE", "ID"), created, ("CREATED BY", "CreatedBy"), ("SIZE", "Size"), ("COMMENT", "Comment")];
    let text = format::render(&args.format, &columns, &rows)?;
    if text.is_empty() { Ok(()) } else { ctx.ui.line(text) }
}

fn is_human(args: &HistoryArgs) -> bool {
    args.human.unwrap_or(true)
}

fn rows(image: &Image, args: &HistoryArgs) -> Vec<Value> {
    let mut sizes = image.layer_sizes.iter();
    let mut rows: Vec<Value> = image
        .config
        .history()
        .iter()
        .flatten()
        .map(|step| {
            let size = if step.empty_layer().unwrap_or(false) { 0 } else { sizes.next().copied().unwrap_or(0) };
            let created: Option<Timestamp> = step.created().as_ref().and_then(|text| text.parse().ok());
            let command = step.created_by().clone().unwrap_or_default().replace('\t', " ");
            json!({
                "ID": "<missing>",
                "CreatedAt": created.map_or_else(|| "N/A".to_owned(), quantity::local),
                "CreatedSince": created.map_or_else(|| "N/A".to_owned(), |then| format!("{} ago", quantity::since(then))),
                "CreatedBy": if args.no_trunc { command } else { shortened(&command) },
                "Size": if is_human(args) { quantity::size(size) } else { size.to_string() },
                "Comment": step.comment().clone().unwrap_or_default(),
            })
        })
        .collect();
    // What an image says about its steps need not cover its layers.
    if rows.is_empty() {
        let size = if is_human(args) { quantity::size(image.size) } else { image.size.to_string() };
        rows.push(json!({"CreatedAt": "N/A", "CreatedSince": "N/A", "CreatedBy": "", "Size": size, "Comment": ""}));
    }
    rows.reverse();
    rows[0]["ID"] = json!(if args.no_trunc { image.id.to_string() } else { image.id.short().to_owned() });
    rows
}

fn shortened(command: &str) -> String {
    if command.chars().count() <= LONGEST_COMMAND {
        return command.to_owned();
    }
    command.chars().take(LONGEST_COMMAND - 1).chain(['…']).collect()
}
