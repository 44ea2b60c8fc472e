//! `lighter context ls`

use serde_json::json;

use crate::context::Context;
use crate::error::Failure;
use crate::remote::Contexts;
use crate::ui::format::{self, Format};

/// How they are shown
#[derive(clap::Args)]
pub(crate) struct ListArgs {
    /// `table`, `json`, or a template: '{{.Name}}'
    #[arg(long, default_value = "table", hide_default_value = true)]
    format: Format,
    /// Only names
    #[arg(short, long)]
    quiet: bool,
}

pub(super) fn run(ctx: &Context, contexts: &Contexts, args: &ListArgs) -> Result<(), Failure> {
    let (all, current) = (contexts.all()?, contexts.current()?);
    if args.quiet {
        return all.iter().try_for_each(|context| ctx.ui.line(&context.name));
    }
    let rows: Vec<_> = all
        .iter()
        .map(|context| {
            let is_current = context.name == current;
            let marked = if is_current { format!("{} *", context.name) } else { context.name.clone() };
            json!({
                "Name": if args.format == Format::Table { &marked } else { &context.name },
                "Description": context.description,
                "DockerEndpoint": context.host,
                "Current": is_current,
                "Error": "",
            })
        })
        .collect();
    let columns =
        [("NAME", "Name"), ("DESCRIPTION", "Description"), ("DOCKER ENDPOINT", "DockerEndpoint"), ("ERROR", "Error")];
    ctx.ui.line(format::render(&args.format, &columns, &rows)?)
}
