//! `lighter compose ps`

use lighter_compose::observe;
use lighter_engine::{Container, HealthStatus, MountKind};
use serde_json::{Value, json};

use super::select;
use crate::args::ProjectArgs;
use crate::context::Context;
use crate::error::Failure;
use crate::ui::format::{self, Format};
use crate::ui::quantity;
use crate::verbs::ps;
use crate::verbs::target::PROJECT;

/// List the project's containers
#[derive(clap::Args)]
pub(crate) struct PsArgs {
    /// Services (default: all)
    services: Vec<String>,
    /// Those that have ended too
    #[arg(short, long)]
    all: bool,
    /// Only ids
    #[arg(short, long)]
    quiet: bool,
    /// `table`, `json`, or a template: '{{.Service}} {{.State}}'
    #[arg(long, default_value = "table", hide_default_value = true)]
    format: Format,
    /// Only containers in this state
    #[arg(long, value_parser = ["created", "running", "paused", "restarting", "exited"])]
    status: Vec<String>,
    /// Only those that fit: status=WORD
    #[arg(long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// Do not shorten commands (lighter never does)
    #[arg(long)]
    no_trunc: bool,
    /// Those whose services are not in the file any more too (the default)
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    orphans: Option<bool>,
    /// Only the names of the services
    #[arg(long = "services")]
    only_services: bool,
}

const COLUMNS: [(&str, &str); 7] = [
    ("NAME", "Name"),
    ("IMAGE", "Image"),
    ("COMMAND", "Command"),
    ("SERVICE", "Service"),
    ("CREATED", "RunningFor"),
    ("STATUS", "Status"),
    ("PORTS", "Ports"),
];

pub(crate) fn run(ctx: &Context, project: &ProjectArgs, args: &PsArgs) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    let name = super::project_name(ctx, project)?;
    if !args.services.is_empty() {
        select::check(ctx, project, &observe(&name, &engine)?, &args.services)?;
    }
    let mut containers = select::containers(&engine, &name, &[])?;
    containers.retain(|container| {
        args.services.is_empty() || args.services.iter().any(|s| s == select::service_of(container))
    });
    let mut words = args.status.clone();
    for filter in &args.filter {
        let word = filter.strip_prefix("status=");
        words.push(word.ok_or_else(|| Failure::text(format!("--filter `{filter}`: use status=WORD")))?.to_owned());
    }
    if args.orphans == Some(false) {
        let project = super::config::load_project(ctx, project)?.project;
        containers.retain(|container| project.services.contains_key(select::service_of(container)));
    }
    match words.is_empty() {
        true => containers.retain(|container| args.all || container.state.status.is_active()),
        false => containers.retain(|container| words.iter().any(|word| word == container.state.status.word())),
    }
    if args.only_services {
        let mut names: Vec<_> = containers.iter().map(select::service_of).collect();
        names.dedup();
        return names.iter().try_for_each(|name| ctx.ui.line(name));
    }
    if args.quiet {
        return containers.iter().try_for_each(|container| ctx.ui.line(&container.id));
    }
    let text = format::render(&args.format, &COLUMNS, &containers.iter().map(row).collect::<Vec<_>>())?;
    if text.is_empty() { Ok(()) } else { ctx.ui.line(text) }
}

/// Returns a container as `docker compose ps --format json` shows it.
fn row(container: &Container) -> Value {
    let command = format!("\"{}\"", container.spec.args.join(" "));
    let created = container.state.created_at;
    let publishers: Vec<_> = container
        .state
        .ports
        .iter()
        .map(|port| {
            json!({
                "URL": port.host_ip,
                "TargetPort": port.target,
                "PublishedPort": port.host_port,
                "Protocol": port.protocol.to_string(),
            })
        })
        .collect();
    let volumes = container.spec.mounts.iter().filter(|mount| matches!(mount.kind, MountKind::Volume { .. })).count();
    json!({
        "ID": container.short_id(),
        "Name": container.spec.name,
        "Names": container.spec.name,
        "Image": container.spec.image.reference,
        "Command": command,
        "Project": container.label(PROJECT),
        "Service": select::service_of(container),
        "CreatedAt": created.map(|time| time.to_string()),
        "RunningFor": created.map(|time| format!("{} ago", quantity::since(time))),
        "State": container.state.status.word(),
        "Status": ps::status(container),
        "Health": ps::health(container).map_or("", HealthStatus::word),
        "ExitCode": container.state.exit_code.unwrap_or(0),
        "Publishers": publishers,
        "Ports": ps::ports(container),
        "Networks": ps::networks(container).join(","),
        "LocalVolumes": volumes.to_string(),
        "Labels": container.spec.labels.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(","),
    })
}
