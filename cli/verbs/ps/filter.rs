//! `--filter` of `ps`: different keys must all fit; of one key, any of its values, but all labels.

use std::ops::RangeInclusive;

use jiff::Timestamp;
use lighter_engine::images::digest::Digest;
use lighter_engine::{Container, Engine, MountKind};
use regex::Regex;

use super::super::image::filter::pattern;
use super::row::{health, networks};
use crate::error::Failure;

const KEYS: &str = "name=, id=, label=, status=, health=, exited=, ancestor=, before=, since=, volume=, network=, publish=, \
                    expose= or is-task=";

const STATES: [&str; 7] = ["created", "restarting", "running", "removing", "paused", "exited", "dead"];

/// One condition.
enum Condition {
    Name(Regex),
    Id(String),
    Label(String),
    Status(String),
    Health(String),
    Exited(i32),
    /// Ids of the images, and the layers they must begin with.
    Ancestor(Digest, Vec<Digest>),
    Before(Option<Timestamp>),
    Since(Option<Timestamp>),
    Volume(String),
    Network(String),
    Publish(Ports),
    Expose(Ports),
    IsTask(bool),
}

struct Ports {
    numbers: RangeInclusive<u16>,
    protocol: String,
}

/// What containers must be like.
pub(super) struct Filter<'a> {
    engine: &'a Engine,
    conditions: Vec<(String, Condition)>,
}

impl<'a> Filter<'a> {
    /// Reads `KEY=VALUE` texts; what they name is looked up among `containers` and the images.
    pub(super) fn parse(engine: &'a Engine, containers: &[Container], texts: &[String]) -> Result<Self, Failure> {
        let condition = |text: &String| {
            let malformed = || Failure::text(format!("--filter `{text}`: use {KEYS}"));
            let (key, value) = text.split_once('=').ok_or_else(malformed)?;
            let condition = condition(engine, containers, (key, value))?;
            Ok((key.to_owned(), condition.ok_or_else(malformed)?))
        };
        Ok(Self { engine, conditions: texts.iter().map(condition).collect::<Result<_, Failure>>()? })
    }

    /// Returns whether states are asked for: then those that have ended are meant too.
    pub(super) fn has_status(&self) -> bool {
        self.conditions.iter().any(|(key, _)| key == "status")
    }

    pub(super) fn fits(&self, container: &Container) -> bool {
        self.conditions.iter().all(|(key, condition)| {
            let same_key = || self.conditions.iter().filter(|(other, _)| other == key);
            match key.as_str() {
                "label" | "before" | "since" => condition.fits(self.engine, container),
                _ => same_key().any(|(_, other)| other.fits(self.engine, container)),
            }
        })
    }
}

/// Reads one condition; `None` if it is malformed.
fn condition(
    engine: &Engine,
    containers: &[Container],
    (key, value): (&str, &str),
) -> Result<Option<Condition>, Failure> {
    let among = |words: &[&str]| words.contains(&value).then(|| value.to_owned());
    let made = |name: &str| {
        let named = |container: &&Container| container.spec.name == name || container.id.starts_with(name);
        let found = containers.iter().find(named).ok_or_else(|| Failure::text(format!("no such container: {name}")));
        found.map(|container| container.state.created_at)
    };
    Ok(match key {
        "name" => Some(Condition::Name(pattern(&value.strip_prefix('/').unwrap_or(value).replace("^/", "^"))?)),
        "id" => Some(Condition::Id(value.to_owned())),
        "label" => Some(Condition::Label(value.to_owned())),
        "status" => among(&STATES).map(Condition::Status),
        "health" => among(&["starting", "healthy", "unhealthy", "none"]).map(Condition::Health),
        "exited" => value.parse().ok().map(Condition::Exited),
        "ancestor" => {
            let image = engine.images().find(value)?;
            // one that is not there is nobody's ancestor
            let none = || Condition::Status(String::new());
            Some(image.map_or_else(none, |image| {
                let layers = image.config.rootfs().diff_ids().iter().filter_map(|id| id.parse().ok()).collect();
                Condition::Ancestor(image.id, layers)
            }))
        }
        "before" => Some(Condition::Before(made(value)?)),
        "since" => Some(Condition::Since(made(value)?)),
        "volume" => Some(Condition::Volume(value.to_owned())),
        "network" => Some(Condition::Network(value.to_owned())),
        "publish" => ports(value).map(Condition::Publish),
        "expose" => ports(value).map(Condition::Expose),
        "is-task" => value.parse().ok().map(Condition::IsTask),
        _ => None,
    })
}

/// Reads `80`, `8000-8010/udp`.
fn ports(text: &str) -> Option<Ports> {
    let (numbers, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
    Some(Ports { numbers: first.parse().ok()?..=last.parse().ok()?, protocol: protocol.to_owned() })
}

impl Condition {
    fn fits(&self, engine: &Engine, container: &Container) -> bool {
        let (spec, state) = (&container.spec, &container.state);
        match self {
            Self::Name(regex) => regex.is_match(&spec.name),
            Self::Id(id) => container.id.starts_with(id),
            Self::Label(label) => match label.split_once('=') {
                Some((name, value)) => container.label(name) == Some(value),
                None => container.label(label).is_some(),
            },
            Self::Status(word) => state.status.word() == word,
            Self::Health(word) => health(container).map_or("none", |health| health.word()) == word,
            Self::Exited(code) => {
                !state.status.is_active() && state.started_at.is_some() && state.exit_code == Some(*code)
            }
            Self::Ancestor(id, layers) => descends(engine, container, id, layers),
            Self::Before(time) => state.created_at < *time,
            Self::Since(time) => state.created_at > *time,
            Self::Volume(wanted) => spec.mounts.iter().any(|mount| {
                let is_source = match &mount.kind {
                    MountKind::Volume { name, .. } => name == wanted,
                    MountKind::Bind { source, .. } => source.as_os_str() == wanted.as_str(),
                    MountKind::Tmpfs { .. } | MountKind::Image { .. } => false,
                };
                is_source || mount.target == *wanted
            }),
            Self::Network(wanted) => {
                let by_id = state.endpoints.iter().any(|endpoint| endpoint.network.starts_with(wanted.as_str()));
                by_id || networks(container).iter().any(|name| name == wanted)
            }
            // Either end: docker finds the host's port, and its documentation looks for the container's.
            Self::Publish(ports) => {
                state.ports.iter().any(|port| ports.has(port.host_port, &port.protocol.to_string()))
                    || spec.ports.iter().any(|port| {
                        let ends = [Some(port.target), port.host_port];
                        ends.into_iter().flatten().any(|end| ports.has(end, &port.protocol))
                    })
            }
            Self::Expose(ports) => {
                let mut exposed = spec.exposed.iter().filter_map(|text| self::ports(text));
                exposed.any(|one| ports.has(*one.numbers.start(), &one.protocol))
                    || spec.ports.iter().any(|port| ports.has(port.target, &port.protocol))
            }
            Self::IsTask(wanted) => !wanted, // there are no swarms, and no tasks
        }
    }
}

impl Ports {
    fn has(&self, number: u16, protocol: &str) -> bool {
        self.numbers.contains(&number) && self.protocol == protocol
    }
}

/// Returns whether a container's image is that one, or was made from it: it begins with its layers.
fn descends(engine: &Engine, container: &Container, id: &Digest, layers: &[Digest]) -> bool {
    if container.spec.image.id == id.as_str() {
        return true;
    }
    let Ok(Some(image)) = engine.images().find(&container.spec.image.id) else { return false };
    let own = image.config.rootfs().diff_ids();
    !layers.is_empty() && own.len() >= layers.len() && own.iter().zip(layers).all(|(own, layer)| own == layer.as_str())
}
