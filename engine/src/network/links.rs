//! Further names for other containers, known to one alone, given and taken away while it runs or not. Runs in the command.
//!
//! The specification says so first, then the monitor is told; killed in between, it takes note at the next signal.

use super::change::ConnectError;
use crate::spec::{ContainerSpec, Link};
use crate::{Container, Engine, durable, ephemeral};

impl Engine {
    /// Gives a container further names for others; of the same alias the last counts.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub fn link(&self, container: &Container, links: &[Link]) -> Result<(), ConnectError> {
        self.change_links(container, |all| {
            all.retain(|old| links.iter().all(|new| new.alias != old.alias));
            all.extend(links.iter().cloned());
        })?;
        Ok(())
    }

    /// Takes a further name away; returns whether there was one.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub fn unlink(&self, container: &Container, alias: &str) -> Result<bool, ConnectError> {
        self.change_links(container, |all| all.retain(|link| link.alias != alias))
    }

    /// Returns whether anything has changed.
    fn change_links(&self, container: &Container, change: impl FnOnce(&mut Vec<Link>)) -> Result<bool, ConnectError> {
        let _lock = self.lock_container(&container.id)?;
        let path = container.paths.spec();
        let Some(mut spec) = durable::read_json::<ContainerSpec>(&path)? else { return Ok(false) };
        let before = spec.links.clone();
        change(&mut spec.links);
        if spec.links == before {
            return Ok(false);
        }
        ephemeral::rewrite(&container.paths, &spec)?;
        self.tell_monitor(container, &self.load_state(&container.id)?)?;
        Ok(true)
    }
}

/// Returns links as a name server takes them: the name, and the one that it stands for.
pub(super) fn pairs(links: &[Link]) -> Vec<(String, String)> {
    links.iter().map(|link| (link.alias.clone(), link.target.clone())).collect()
}
