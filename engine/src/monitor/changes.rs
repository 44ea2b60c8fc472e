//! What commands change about a container while it runs, and what its monitor tells about it.

use super::launch::{self, Monitor};
use crate::events::Event;
use crate::oci;

impl Monitor {
    /// Notes an event of the container.
    pub(super) fn tell(&self, action: &str, attributes: &[(&str, &str)]) {
        let event = Event::of_container(action, &self.id, &self.spec);
        self.engine.tell(attributes.iter().fold(event, |event, (name, value)| event.with(name, *value)));
    }

    /// Takes over what `rename` and `update` have written: the next start, if there is one, has other limits. What cannot be
    /// read stays as it was.
    pub(super) fn read_changes(&mut self) {
        let Ok(spec) = launch::read_spec(&self.paths) else { return };
        if spec.resources != self.spec.resources
            && let Ok(config) = oci::with_limits(&self.config, &spec)
        {
            self.config = config;
        }
        self.spec.name = spec.name;
        self.spec.resources = spec.resources;
        self.spec.restart = spec.restart;
    }
}
