//! `lighter compose events`

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use lighter_engine::{Event, EventKind, EventsQuery};
use serde_json::json;

use super::select::ONE_OFF;
use crate::args::ProjectArgs;
use crate::context::Context;
use crate::error::Failure;
use crate::verbs::logs::moment;
use crate::verbs::target::{PROJECT, SERVICE};

/// How the labels begin that say what a container is in its project. Docker Compose leaves them out.
const OF_COMPOSE: &str = "com.docker.compose.";

/// Show what happens to the project's containers, as it happens
#[derive(clap::Args)]
pub(crate) struct EventsArgs {
    /// Services (default: all)
    services: Vec<String>,
    /// A JSON object a line
    #[arg(long)]
    json: bool,
    /// Those since then, too: a time (2026-01-02T15:04:05Z) or an age (10m)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// End then
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

pub(crate) fn run(ctx: &Context, project: &ProjectArgs, args: &EventsArgs) -> Result<(), Failure> {
    let time = |text: &Option<String>| text.as_deref().map(moment).transpose();
    let query = EventsQuery { since: time(&args.since)?, until: time(&args.until)? };
    let engine = ctx.recovered_engine()?;
    let name = super::project_name(ctx, project)?;
    for event in engine.events(query)? {
        let event = event?;
        let service = event.attribute(SERVICE).unwrap_or_default();
        let is_meant = args.services.is_empty() || args.services.iter().any(|wanted| wanted == service);
        let is_meant = is_meant && event.attribute(ONE_OFF) != Some("True"); // as docker
        if event.kind == EventKind::Container && event.attribute(PROJECT) == Some(&name) && is_meant {
            ctx.ui.line(if args.json { object(&event) } else { line(&event) })?;
        }
    }
    Ok(())
}

fn object(event: &Event) -> String {
    let attributes = event.attributes.iter().filter(|(name, _)| !name.starts_with(OF_COMPOSE));
    json!({
        "time": event.time,
        "type": "container",
        "service": event.attribute(SERVICE),
        "id": event.id,
        "action": event.action,
        "attributes": attributes.collect::<BTreeMap<_, _>>(),
    })
    .to_string()
}

fn line(event: &Event) -> String {
    let time = event.time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S%.6f").to_string();
    let attribute = |name| event.attribute(name).unwrap_or_default();
    let (name, image) = (attribute("name"), attribute("image"));
    format!("{time} container {} {} (image={image}, name={name})", event.action, event.id)
}
