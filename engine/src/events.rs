//! What happens to containers, as it happens. Runs in the command.
//!
//! Nothing resident keeps a history: whoever listens looks at the records whenever one of them changes, and what differs from
//! the last look is an event. What comes and goes between two looks is told as far as its traces tell it.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

use crate::state::{HealthStatus, Status};
use crate::{Container, Engine, FileError, Watch};

/// How long one look stands when no change is heard of.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// One event.
#[derive(Debug, Clone)]
pub struct Event {
    /// When it was seen.
    pub time: Timestamp,
    /// Docker's word: `create`, `start`, `die`, `oom`, `restart`, `pause`, `unpause`, `health_status: healthy`, `destroy`.
    pub action: String,
    /// The container as it was then.
    pub container: Container,
}

/// An iterator over events; it waits for the next one.
pub struct EventStream {
    engine: Engine,
    known: BTreeMap<String, Container>,
    pending: VecDeque<Event>,
}

impl Engine {
    /// Listens to what happens to containers from now on.
    pub fn events(&self) -> Result<EventStream, FileError> {
        let known = self.containers()?.into_iter().map(|container| (container.id.clone(), container)).collect();
        Ok(EventStream { engine: self.clone(), known, pending: VecDeque::new() })
    }
}

impl EventStream {
    /// Waits until a record may have changed, and looks at all of them.
    fn look(&mut self) -> io::Result<()> {
        let mut directories: Vec<PathBuf> = vec![self.engine.layout().containers()];
        for container in self.known.values() {
            directories.extend([container.paths().dir().to_owned(), container.paths().run().to_owned()]);
        }
        let directories: Vec<_> = directories.iter().map(PathBuf::as_path).collect();
        // watched before it is looked at, so that no change falls between the two
        let mut watch = Watch::new(&directories)?;
        self.compare()?;
        if self.pending.is_empty() {
            watch.wait(Some(LOOK_EVERY))?;
        }
        Ok(())
    }

    fn compare(&mut self) -> io::Result<()> {
        let now: BTreeMap<String, Container> = self
            .engine
            .containers()
            .map_err(io::Error::other)?
            .into_iter()
            .map(|container| (container.id.clone(), container))
            .collect();
        let time = Timestamp::now();
        for (id, container) in &now {
            let actions = actions(self.known.get(id), container).into_iter();
            self.pending.extend(actions.map(|action| Event { time, action, container: container.clone() }));
        }
        for (id, container) in &self.known {
            if !now.contains_key(id) {
                self.pending.push_back(Event { time, action: "destroy".to_owned(), container: container.clone() });
            }
        }
        self.known = now;
        Ok(())
    }
}

impl Iterator for EventStream {
    type Item = io::Result<Event>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Some(Ok(event));
            }
            if let Err(error) = self.look() {
                return Some(Err(error));
            }
        }
    }
}

/// Returns what must have happened to a container between two looks.
fn actions(before: Option<&Container>, now: &Container) -> Vec<String> {
    let health = |container: &Container| container.health.as_ref().map(|health| health.status);
    let seen = Seen { state: &now.state, health: health(now) };
    match before {
        None => [vec!["create".to_owned()], seen.since(&Seen { state: &Default::default(), health: None })].concat(),
        Some(before) => seen.since(&Seen { state: &before.state, health: health(before) }),
    }
}

/// What of a container makes events.
struct Seen<'a> {
    state: &'a crate::State,
    health: Option<HealthStatus>,
}

impl Seen<'_> {
    fn since(&self, before: &Self) -> Vec<String> {
        let (old, new) = (before.state, self.state);
        let mut actions = Vec::new();
        let was_up = matches!(old.status, Status::Running | Status::Paused);
        let is_up = matches!(new.status, Status::Running | Status::Paused);
        let is_another_run = old.started_at != new.started_at;
        if was_up && (!is_up || is_another_run) {
            actions.extend(new.oom_killed.then_some("oom"));
            actions.push("die");
        }
        if is_another_run && new.started_at.is_some() {
            actions.push("start");
            actions.extend((new.restart_count > old.restart_count).then_some("restart"));
            if !is_up {
                actions.push("die"); // it was quicker than we
            }
        }
        match (old.status, new.status) {
            (Status::Paused, Status::Running) => actions.push("unpause"),
            (status, Status::Paused) if status != Status::Paused => actions.push("pause"),
            _ => {}
        }
        let mut actions: Vec<String> = actions.into_iter().map(str::to_owned).collect();
        let verdict = self.health.filter(|health| before.health != Some(*health) && *health != HealthStatus::Starting);
        actions.extend(verdict.map(|health| format!("health_status: {}", health.word())));
        actions
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    fn state(status: Status, started: i64) -> State {
        State { status, started_at: Some(Timestamp::from_second(started).unwrap()), ..State::default() }
    }

    fn between(old: &State, new: &State) -> Vec<String> {
        Seen { state: new, health: None }.since(&Seen { state: old, health: None })
    }

    #[test]
    fn what_happened_between_two_looks_is_told_in_its_order() {
        let created = State::default();
        let first = state(Status::Running, 1);
        assert_eq!(between(&created, &first), ["start"]);
        assert_eq!(between(&first, &first), Vec::<String>::new());
        assert_eq!(between(&first, &state(Status::Exited, 1)), ["die"]);
        assert_eq!(
            between(&first, &State { restart_count: 1, ..state(Status::Running, 2) }),
            ["die", "start", "restart"]
        );
        assert_eq!(between(&created, &state(Status::Exited, 1)), ["start", "die"]);
        assert_eq!(between(&first, &State { oom_killed: true, ..state(Status::Exited, 1) }), ["oom", "die"]);
        let paused = state(Status::Paused, 1);
        assert_eq!([between(&first, &paused), between(&paused, &first)].concat(), ["pause", "unpause"]);
    }

    #[test]
    fn a_verdict_is_an_event_once() {
        let running = state(Status::Running, 1);
        let with = |health| Seen { state: &running, health };
        assert_eq!(with(Some(HealthStatus::Healthy)).since(&with(None)), ["health_status: healthy"]);
        assert!(with(Some(HealthStatus::Healthy)).since(&with(Some(HealthStatus::Healthy))).is_empty());
        assert!(with(Some(HealthStatus::Starting)).since(&with(None)).is_empty());
    }
}
