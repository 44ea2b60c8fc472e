//! A project made smaller or firmer, for `config` to print.
//!
//! Runs in the command; pure.

use crate::diagnostic::Fault;
use crate::model::Project;
use crate::normalise::drop_unused;
use crate::selection::select;
use crate::yaml::{Map, Node, Value};

impl Project {
    /// Keeps the named services, what they depend on, and what these use; none named keeps everything.
    ///
    /// # Errors
    /// A name that is no service of the project.
    pub fn restrict(&mut self, named: &[String]) -> Result<(), Fault> {
        if named.is_empty() {
            return Ok(());
        }
        let kept = select(self, named, true)?;
        self.services.retain(|name, _| kept.contains(name));
        let services = self.document.as_map_mut().and_then(|map| map.get_mut("services")).and_then(Node::as_map_mut);
        services.into_iter().for_each(|map| map.0.retain(|entry| self.services.contains_key(&entry.key)));
        drop_unused(&mut self.document);
        let document = &self.document;
        let has = |section: &str, key: &str| document.get(section).is_some_and(|section| section.get(key).is_some());
        self.networks.retain(|key, _| has("networks", key));
        self.volumes.retain(|key, _| has("volumes", key));
        self.configs.retain(|key, _| has("configs", key));
        self.secrets.retain(|key, _| has("secrets", key));
        Ok(())
    }

    /// Gives a service another image.
    pub fn set_image(&mut self, service: &str, image: &str) {
        let document = self.document.as_map_mut().and_then(|map| map.get_mut("services"));
        let document = document.and_then(Node::as_map_mut).and_then(|services| services.get_mut(service));
        if let Some(node) = document.and_then(Node::as_map_mut).and_then(|service| service.get_mut("image")) {
            *node = node.text_here(image);
        }
        if let Some(service) = self.services.get_mut(service) {
            service.image = Some(image.to_owned());
        }
    }

    /// Keeps of the services only their images, and of the project only the services: a file to lay over its own.
    pub fn keep_images(&mut self) {
        self.name.clear();
        let Some(map) = self.document.as_map_mut() else { return };
        map.0.retain(|entry| entry.key == "services");
        for service in map.get_mut("services").and_then(Node::as_map_mut).into_iter().flat_map(|map| &mut map.0) {
            let image = service.value.as_map().and_then(|map| map.entry("image")).cloned();
            service.value = service.value.here(Value::Map(Map(image.into_iter().collect())));
        }
    }

    /// Returns the names of the models that the project runs, in the order of their keys.
    pub fn models(&self) -> Vec<&str> {
        let models = self.document.get("models").map_or(&[][..], Node::entries);
        models.iter().filter_map(|entry| entry.value.text("model")).collect()
    }
}
