//! Looking at containers: records read from disk, corrected by the kernel. Readers take no lock.

use std::fs;
use std::io;

use crate::durable::{self, FileError};
use crate::layout::ContainerPaths;
use crate::spec::ContainerSpec;
use crate::state::{Health, STATE_VERSION, State, Status};
use crate::{Engine, FindError, id};

/// A container as it was when it was looked at.
#[derive(Debug, Clone)]
pub struct Container {
    /// 64 hexadecimal digits.
    pub id: String,
    /// What it shall be.
    pub spec: ContainerSpec,
    /// What it is doing, corrected by the kernel.
    pub state: State,
    /// How well it is; `None` = it has no health check or does not run.
    pub health: Option<Health>,
    pub(crate) paths: ContainerPaths,
}

impl Container {
    /// Returns the first 12 digits of the id.
    pub fn short_id(&self) -> &str {
        id::short(&self.id)
    }

    /// Returns where its files are.
    pub fn paths(&self) -> &ContainerPaths {
        &self.paths
    }

    /// Returns the value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.spec.labels.get(name).map(String::as_str)
    }

    /// Returns `out of memory, limit 64 MiB` when the kernel ended it for want of memory.
    pub fn out_of_memory(&self) -> Option<String> {
        let limit = self.spec.resources.memory.map(|bytes| match bytes {
            bytes if bytes.is_multiple_of(1 << 20) => format!(", limit {} MiB", bytes >> 20),
            bytes => format!(", limit {bytes} bytes"),
        });
        self.state.oom_killed.then(|| format!("out of memory{}", limit.unwrap_or_default()))
    }

    /// Returns whether the user has stopped it.
    pub fn is_stopped_by_user(&self) -> bool {
        self.paths.stop_request().exists()
    }
}

impl Engine {
    /// Returns all containers, oldest first.
    ///
    /// A record that cannot be read fails the whole list: it names the file, so that it can be mended or removed.
    pub fn containers(&self) -> Result<Vec<Container>, FileError> {
        let mut containers = Vec::new();
        for id in self.container_ids()? {
            containers.extend(self.load(&id)?);
        }
        containers.sort_by(|a, b| (a.state.created_at, &a.id).cmp(&(b.state.created_at, &b.id)));
        Ok(containers)
    }

    /// Returns the container with this name, id, or unique beginning of an id.
    pub fn find(&self, name: &str) -> Result<Container, FindError> {
        match self.find_whole(name) {
            Err(FindError::NotFound(_)) => self.find_abbreviated(name),
            found => found,
        }
    }

    /// Returns the container with this name or whole id.
    pub fn find_whole(&self, name: &str) -> Result<Container, FindError> {
        let id = match id::is_name(name) {
            true => self.id_of_name(name)?,
            false => None,
        };
        let id = id.unwrap_or_else(|| name.to_owned());
        let found = if id::is_id(&id) { self.load(&id)? } else { None };
        found.ok_or_else(|| FindError::NotFound(name.to_owned()))
    }

    /// Returns the only container whose id begins like this.
    pub fn find_abbreviated(&self, name: &str) -> Result<Container, FindError> {
        let not_found = || FindError::NotFound(name.to_owned());
        let mut candidates: Vec<String> =
            self.container_ids()?.into_iter().filter(|id| !name.is_empty() && id.starts_with(name)).collect();
        match candidates.len() {
            0 => Err(not_found()),
            1 => self.load(&candidates.remove(0))?.ok_or_else(not_found),
            _ => {
                let short: Vec<_> = candidates.iter().map(|id| id::short(id)).collect();
                Err(FindError::Ambiguous { prefix: name.to_owned(), candidates: short.join(", ") })
            }
        }
    }

    /// Reads one container by its whole id; `None` if there is none.
    pub fn load(&self, id: &str) -> Result<Option<Container>, FileError> {
        let paths = self.layout.container(id);
        let Some(spec) = durable::read_json::<ContainerSpec>(&paths.spec())? else { return Ok(None) };
        let state = self.load_state(id)?;
        let health = match (&spec.health, state.status.is_active()) {
            (Some(_), true) => Some(durable::read_json::<Health>(&paths.health())?.unwrap_or_default()),
            _ => None,
        };
        Ok(Some(Container { id: id.to_owned(), spec, state, health, paths }))
    }

    pub(crate) fn load_state(&self, id: &str) -> Result<State, FileError> {
        let path = self.layout.container(id).state();
        let state = State::read(&path)?.unwrap_or_default();
        match state.version > STATE_VERSION {
            true => Err(FileError::Newer { path, version: state.version }),
            false => Ok(self.with_pause(id, state.corrected())),
        }
    }

    fn with_pause(&self, id: &str, mut state: State) -> State {
        if state.status == Status::Running && self.is_paused(id) {
            state.status = Status::Paused;
        }
        state
    }

    pub(crate) fn container_ids(&self) -> Result<Vec<String>, FileError> {
        let directory = self.layout.containers();
        let mut ids = Vec::new();
        for entry in fs::read_dir(&directory).map_err(FileError::io("list", &directory))? {
            let name = entry.map_err(FileError::io("list", &directory))?.file_name();
            ids.extend(name.into_string().ok().filter(|name| id::is_id(name)));
        }
        Ok(ids)
    }

    /// Returns the id behind a name; a name whose container is gone counts as free.
    pub(crate) fn id_of_name(&self, name: &str) -> Result<Option<String>, FileError> {
        let link = self.layout.name(name);
        match fs::read_link(&link) {
            Ok(target) => {
                let id = target.to_string_lossy().into_owned();
                Ok(Some(id).filter(|id| id::is_id(id) && self.layout.container(id).spec().exists()))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(FileError::io("read", &link)(error)),
        }
    }
}
