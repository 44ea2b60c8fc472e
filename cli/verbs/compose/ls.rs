//! `lighter compose ls`

use std::collections::BTreeMap;

use lighter_compose::names;
use lighter_engine::Container;
use serde_json::json;

use crate::context::Context;
use crate::error::Failure;
use crate::ui::format::{self, Format};
use crate::verbs::target::PROJECT;

/// List the projects that have containers
#[derive(clap::Args)]
pub(crate) struct LsArgs {
    /// Those of which nothing runs too
    #[arg(short, long)]
    all: bool,
    /// Only names
    #[arg(short, long)]
    quiet: bool,
    /// Only those that fit: name=TEXT
    #[arg(long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// `table`, `json`, or a template: '{{.Name}} {{.Status}}'
    #[arg(long, default_value = "table", hide_default_value = true)]
    format: Format,
}

const COLUMNS: [(&str, &str); 3] = [("NAME", "Name"), ("STATUS", "Status"), ("CONFIG FILES", "ConfigFiles")];

pub(crate) fn run(ctx: &Context, args: &LsArgs) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    let mut projects: BTreeMap<String, Vec<Container>> = BTreeMap::new();
    for container in engine.containers()? {
        if let Some(project) = container.label(PROJECT) {
            projects.entry(project.to_owned()).or_default().push(container);
        }
    }
    for filter in &args.filter {
        let Some(part) = filter.strip_prefix("name=") else {
            return Err(Failure::text(format!("--filter `{filter}`: use name=TEXT")));
        };
        projects.retain(|name, _| name.contains(part));
    }
    projects.retain(|_, containers| args.all || containers.iter().any(|one| one.state.status.is_active()));
    if args.quiet {
        return projects.keys().try_for_each(|name| ctx.ui.line(name));
    }
    let rows: Vec<_> = projects
        .iter()
        .map(|(name, containers)| {
            let files = containers.iter().find_map(|container| container.label(names::CONFIG_FILES));
            json!({"Name": name, "Status": status(containers), "ConfigFiles": files.unwrap_or("N/A")})
        })
        .collect();
    if args.format == Format::Json {
        return ctx.ui.line(json!(rows).to_string()); // one array, as docker has it
    }
    ctx.ui.line(format::render(&args.format, &COLUMNS, &rows)?)
}

/// Returns `exited(1), running(2)`.
fn status(containers: &[Container]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for container in containers {
        *counts.entry(container.state.status.word()).or_default() += 1;
    }
    counts.iter().map(|(word, count)| format!("{word}({count})")).collect::<Vec<_>>().join(", ")
}
