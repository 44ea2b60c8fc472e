//! `lighter events`, `lighter system events`

use jiff::Timestamp;
use jiff::tz::TimeZone;
use lighter_engine::{Event, EventKind, EventsQuery};
use serde_json::{Value, json};

use super::super::logs::moment;
use crate::context::Context;
use crate::error::Failure;
use crate::template::Template;
use crate::ui::format::{self, Format};

/// Show what happens, and what has happened
#[derive(clap::Args)]
pub(crate) struct EventsArgs {
    /// Those since then, too: a time (2026-01-02T15:04:05Z) or an age (10m)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// End then
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only those that fit: type=, event=, container=, image=, volume=, network=, label=, scope=local
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// `json`, or a template: '{{.Type}} {{.Action}} {{.Actor.Attributes.name}}'
    #[arg(long)]
    format: Option<Format>,
}

const KEYS: [&str; 8] = ["type", "event", "container", "image", "volume", "network", "label", "scope"];

/// Kinds of events that a daemon has and we do not: nothing fits them.
const FOREIGN_KEYS: [&str; 6] = ["config", "daemon", "node", "plugin", "secret", "service"];

pub(crate) fn run(ctx: &Context, args: &EventsArgs) -> Result<(), Failure> {
    let time = |text: &Option<String>| text.as_deref().map(moment).transpose();
    let filters = filters(&args.filter)?;
    let query = EventsQuery { since: time(&args.since)?, until: time(&args.until)? };
    let engine = ctx.recovered_engine()?;
    for event in engine.events(query)? {
        let event = event?;
        if fits(&event, &filters) {
            ctx.ui.line(shown(&event, args.format.as_ref())?)?;
        }
    }
    Ok(())
}

fn filters(texts: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let filter = |text: &String| {
        let pair = text.split_once('=').filter(|(key, _)| KEYS.contains(key) || FOREIGN_KEYS.contains(key));
        let (key, value) =
            pair.ok_or_else(|| Failure::text(format!("--filter `{text}`: use {}=", KEYS.join("=, "))))?;
        Ok((key.to_owned(), value.to_owned()))
    };
    texts.iter().map(filter).collect()
}

/// Different keys must all fit, of one key any; but all labels.
fn fits(event: &Event, filters: &[(String, String)]) -> bool {
    filters.iter().all(|(key, value)| match key.as_str() {
        "label" => fits_one(event, key, value),
        _ => filters.iter().filter(|(other, _)| other == key).any(|(key, value)| fits_one(event, key, value)),
    })
}

fn fits_one(event: &Event, key: &str, value: &str) -> bool {
    let is_object =
        |kind: EventKind| event.kind == kind && (event.id.starts_with(value) || event.attribute("name") == Some(value));
    match key {
        "type" => event.kind.word() == value,
        // `health_status: healthy` is a `health_status`
        "event" => event.action == value || event.action.split_once(':').is_some_and(|(word, _)| word == value),
        "container" => {
            is_object(EventKind::Container) || event.attribute("container").is_some_and(|id| id.starts_with(value))
        }
        "image" => {
            let is_of = |name: &str| name == value || name.split_once(':').is_some_and(|(name, _)| name == value);
            is_object(EventKind::Image) || event.attribute("image").is_some_and(is_of)
        }
        "volume" => is_object(EventKind::Volume),
        "network" => is_object(EventKind::Network),
        "label" => match value.split_once('=') {
            Some((name, value)) => event.attribute(name) == Some(value),
            None => event.attribute(value).is_some(),
        },
        "scope" => value == "local",
        _ => false,
    }
}

fn shown(event: &Event, format: Option<&Format>) -> Result<String, Failure> {
    match format {
        None | Some(Format::Table) => Ok(line(event)),
        Some(Format::Json) => Ok(object(event, false).to_string()),
        Some(Format::Template(template)) if is_whole(template) => Ok(object(event, false).to_string()),
        Some(Format::Template(_)) => format::render(format.unwrap_or(&Format::Json), &[], &[object(event, true)]),
        Some(Format::Columns(_)) => Err(Failure::text("--format: events have no table")),
    }
}

/// `{{json .}}`: docker writes the object's fields as in its API then, not by the names that templates have.
fn is_whole(template: &Template) -> bool {
    template.text().split_whitespace().collect::<Vec<_>>().join(" ").replace("{{ ", "{{").replace(" }}", "}}")
        == "{{json .}}"
}

/// Returns docker's object, with the names of its API or of templates.
fn object(event: &Event, for_template: bool) -> Value {
    let actor = json!({"ID": event.id, "Attributes": event.attributes});
    let seconds = event.time.as_second();
    let nanoseconds = i64::try_from(event.time.as_nanosecond()).unwrap_or(i64::MAX);
    let mut object = json!({"Type": event.kind.word(), "Action": event.action, "Actor": actor});
    let mut set = |api: &str, template: &str, value: Value| {
        object[if for_template { template } else { api }] = value;
    };
    set("scope", "Scope", json!("local"));
    set("time", "Time", json!(seconds));
    set("timeNano", "TimeNano", json!(nanoseconds));
    if matches!(event.kind, EventKind::Container | EventKind::Image) {
        set("status", "Status", json!(event.action));
        set("id", "ID", json!(event.id));
    }
    if let Some(image) = event.attribute("image").filter(|_| event.kind == EventKind::Container) {
        set("from", "From", json!(image));
    }
    object
}

fn line(event: &Event) -> String {
    let pairs = event.attributes.iter().map(|(name, value)| format!("{name}={value}"));
    let pairs = pairs.collect::<Vec<_>>().join(", ");
    let text = format!("{} {} {} {}", time(event.time), event.kind.word(), event.action, event.id);
    crate::ui::printable(&if pairs.is_empty() { text } else { format!("{text} ({pairs})") })
}

fn time(time: Timestamp) -> String {
    time.to_zoned(TimeZone::system()).strftime("%Y-%m-%dT%H:%M:%S%.9f%:z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_of_one_key_are_alternatives_and_of_several_are_not() {
        let event =
            Event::now(EventKind::Container, "health_status: healthy", "0123").with("image", "redis:7").with("a", "b");
        let fits = |texts: &[&str]| {
            let texts: Vec<_> = texts.iter().map(|text| (*text).to_owned()).collect();
            super::fits(&event, &filters(&texts).unwrap())
        };
        assert!(fits(&["type=image", "type=container", "event=health_status", "container=01", "image=redis"]));
        assert!(fits(&["label=a", "label=a=b", "scope=local"]));
        assert!(
            !fits(&["label=a", "label=c"])
                && !fits(&["event=health"])
                && !fits(&["service=x"])
                && !fits(&["volume=0123"])
        );
        assert!(filters(&["kind=x".to_owned()]).is_err());
    }
}
