//! What happens, kept in a journal: nothing resident listens, so each process that changes something writes a line.
//!
//! ```text
//! command, monitor ── append, under a lock ──▶ ROOT/events/journal ── at 1 MiB ──▶ ROOT/events/journal.1
//! `events`         ◀── read, follow by inotify ──┘
//! ```
//! It is no part of anything that must hold: a line that cannot be written is left out, and one that was cut off by a crash is
//! passed over.

mod read;
mod write;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use read::{EventStream, EventsError, EventsQuery};

use crate::spec::ContainerSpec;
use crate::{Container, Engine};

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// A container.
    Container,
    /// An image.
    Image,
    /// A volume.
    Volume,
    /// A network.
    Network,
}

impl EventKind {
    /// Returns Docker's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Image => "image",
            Self::Volume => "volume",
            Self::Network => "network",
        }
    }
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When it happened.
    pub time: Timestamp,
    /// What it is about.
    pub kind: EventKind,
    /// Docker's word: `create`, `start`, `die`, `health_status: healthy`, `pull` …
    pub action: String,
    /// The id, or of a volume the name, of what it is about.
    pub id: String,
    /// Name, image, labels, exit code …
    pub attributes: BTreeMap<String, String>,
}

impl Event {
    /// Returns an event of this moment.
    pub fn now(kind: EventKind, action: &str, id: &str) -> Self {
        let (action, id) = (action.to_owned(), id.to_owned());
        Self { time: Timestamp::now(), kind, action, id, attributes: BTreeMap::new() }
    }

    /// Adds what is to be known besides.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.attributes.insert(name.to_owned(), value.into());
        self
    }

    /// Returns an event of a container, with its name, image and labels.
    pub(crate) fn of_container(action: &str, id: &str, spec: &ContainerSpec) -> Self {
        let attributes = spec.labels.clone();
        let event = Self { attributes, ..Self::now(EventKind::Container, action, id) };
        event.with("image", &*spec.image.reference).with("name", &*spec.name)
    }

    /// Returns the value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }
}

impl Engine {
    /// Notes that something has happened to a container which only the caller knows of: `attach`, `exec_start: sh` …
    pub fn tell_of(&self, container: &Container, action: &str) {
        self.tell(Event::of_container(action, &container.id, &container.spec));
    }
}
