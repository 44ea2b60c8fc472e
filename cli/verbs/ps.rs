//! `lighter ps`

use lighter_engine::{Container, HealthStatus, Status};
use serde_json::{Value, json};

use crate::context::Context;
use crate::error::Failure;
use crate::ui::format::{self, Format};
use crate::ui::quantity;

/// List containers
#[derive(clap::Args)]
pub(crate) struct PsArgs {
    /// Those that have ended too
    #[arg(short, long)]
    all: bool,
    /// Only ids
    #[arg(short, long)]
    quiet: bool,
    /// Do not shorten ids and commands
    #[arg(long)]
    no_trunc: bool,
    /// `table`, `json`, or a template: '{{.Names}} {{.Status}}'
    #[arg(long, default_value = "table", hide_default_value = true)]
    format: Format,
    /// Only those that fit: name=, id=, status=, health=, label=
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
}

const COLUMNS: [(&str, &str); 7] = [
    ("CONTAINER ID", "ID"),
    ("IMAGE", "Image"),
    ("COMMAND", "Command"),
    ("CREATED", "RunningFor"),
    ("STATUS", "Status"),
    ("PORTS", "Ports"),
    ("NAMES", "Names"),
];

pub(crate) fn run(ctx: &Context, args: &PsArgs) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    let mut shown = Vec::new();
    // newest first, as docker has it
    for container in engine.containers()?.into_iter().rev() {
        let by_status = args.filter.iter().any(|filter| filter.starts_with("status="));
        if (args.all || by_status || container.state.status.is_active()) && fits(&container, &args.filter)? {
            shown.push(container);
        }
    }
    if args.quiet {
        return shown.iter().try_for_each(|c| ctx.ui.line(if args.no_trunc { &c.id } else { c.short_id() }));
    }
    let rows: Vec<_> = shown.iter().map(|container| row(container, args.no_trunc)).collect();
    let text = format::render(&args.format, &COLUMNS, &rows)?;
    if text.is_empty() { Ok(()) } else { ctx.ui.line(text) }
}

fn fits(container: &Container, filters: &[String]) -> Result<bool, Failure> {
    for filter in filters {
        let malformed = || Failure::text(format!("--filter `{filter}`: use name=, id=, status=, health= or label="));
        let (key, value) = filter.split_once('=').ok_or_else(malformed)?;
        let fits = match key {
            "name" => container.spec.name.contains(value),
            "id" => container.id.starts_with(value),
            "status" => container.state.status.word() == value,
            "health" => health(container).map_or("none", HealthStatus::word) == value,
            "label" => match value.split_once('=') {
                Some((name, value)) => container.label(name) == Some(value),
                None => container.label(value).is_some(),
            },
            _ => return Err(malformed()),
        };
        if !fits {
            return Ok(false);
        }
    }
    Ok(true)
}

pub(super) fn row(container: &Container, no_trunc: bool) -> Value {
    let command = format!("\"{}\"", container.spec.args.join(" "));
    let created = container.state.created_at;
    json!({
        "ID": if no_trunc { container.id.as_str() } else { container.short_id() },
        "Image": container.spec.image.reference,
        "Command": if no_trunc { command } else { shorten(&command) },
        "CreatedAt": created.map(|time| time.to_string()),
        "RunningFor": created.map(|time| format!("{} ago", quantity::since(time))),
        "Status": status(container),
        "State": container.state.status.word(),
        "Health": health(container).map_or("", HealthStatus::word),
        "Ports": ports(container),
        "Names": container.spec.name,
        "Labels": container.spec.labels.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(","),
        "Networks": networks(container).join(","),
    })
}

pub(crate) fn health(container: &Container) -> Option<HealthStatus> {
    container.health.as_ref().map(|health| health.status)
}

/// Returns `Up 3 minutes (healthy)`, `Exited (1) 2 hours ago` …
pub(crate) fn status(container: &Container) -> String {
    let state = &container.state;
    let since = |time: Option<_>| time.map(quantity::since).unwrap_or_default();
    match state.status {
        Status::Created => "Created".to_owned(),
        Status::Running => {
            let health = match health(container) {
                None => "",
                Some(HealthStatus::Starting) => " (health: starting)",
                Some(HealthStatus::Healthy) => " (healthy)",
                Some(HealthStatus::Unhealthy) => " (unhealthy)",
            };
            format!("Up {}{health}", since(state.started_at))
        }
        Status::Paused => format!("Up {} (Paused)", since(state.started_at)),
        Status::Restarting => {
            format!("Restarting ({}) {} ago", state.exit_code.unwrap_or(0), since(state.finished_at))
        }
        Status::Exited => format!("Exited ({}) {} ago", state.exit_code.unwrap_or(0), since(state.finished_at)),
    }
}

/// Returns `0.0.0.0:8080->80/tcp, 443/tcp`.
pub(crate) fn ports(container: &Container) -> String {
    let bound = &container.state.ports;
    let mut texts: Vec<String> =
        bound.iter().map(|port| format!("{}->{}/{}", port.host(), port.target, port.protocol)).collect();
    if container.state.status.is_active() {
        let published =
            |exposed: &str| bound.iter().any(|port| format!("{}/{}", port.target, port.protocol) == exposed);
        texts.extend(container.spec.exposed.iter().filter(|port| !published(port)).cloned());
    }
    texts.join(", ")
}

pub(crate) fn networks(container: &Container) -> Vec<String> {
    use lighter_engine::NetworkMode;
    let endpoints = &container.state.endpoints;
    match &container.spec.network {
        _ if !endpoints.is_empty() => endpoints.iter().map(|endpoint| endpoint.network_name.clone()).collect(),
        NetworkMode::Bridge(attachments) => attachments.iter().map(|a| a.network.clone()).collect(),
        NetworkMode::Host => vec!["host".to_owned()],
        NetworkMode::None => vec!["none".to_owned()],
        NetworkMode::Container(id) => vec![format!("container:{id}")],
    }
}

fn shorten(command: &str) -> String {
    if command.chars().count() <= 20 {
        return command.to_owned();
    }
    command.chars().take(19).chain(['…']).collect::<String>() + "\""
}
