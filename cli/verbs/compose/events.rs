//! `lighter compose events`

use jiff::tz::TimeZone;
use lighter_engine::Event;
use serde_json::{Map, json};

use super::select;
use crate::args::ProjectArgs;
use crate::context::Context;
use crate::error::Failure;
use crate::verbs::target::PROJECT;

/// Show what happens to the project's containers, as it happens
#[derive(clap::Args)]
pub(crate) struct EventsArgs {
    /// Services (default: all)
    services: Vec<String>,
    /// A JSON object a line
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(ctx: &Context, project: &ProjectArgs, args: &EventsArgs) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    let name = super::project_name(ctx, project)?;
    for event in engine.events()? {
        let event = event?;
        let service = select::service_of(&event.container);
        let is_meant = args.services.is_empty() || args.services.iter().any(|wanted| wanted == service);
        if event.container.label(PROJECT) == Some(&name) && is_meant {
            ctx.ui.line(if args.json { object(&event) } else { line(&event) })?;
        }
    }
    Ok(())
}

fn object(event: &Event) -> String {
    let container = &event.container;
    let mut attributes: Map<_, _> =
        container.spec.labels.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    attributes.insert("name".to_owned(), json!(container.spec.name));
    attributes.insert("image".to_owned(), json!(container.spec.image.reference));
    if event.action == "die" {
        attributes.insert("exitCode".to_owned(), json!(container.state.exit_code.unwrap_or(0).to_string()));
    }
    json!({
        "time": event.time,
        "type": "container",
        "service": select::service_of(container),
        "id": container.id,
        "action": event.action,
        "attributes": attributes,
    })
    .to_string()
}

fn line(event: &Event) -> String {
    let time = event.time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S%.6f").to_string();
    let container = &event.container;
    let (name, image) = (&container.spec.name, &container.spec.image.reference);
    format!("{time} container {} {} (image={image}, name={name})", event.action, container.id)
}
