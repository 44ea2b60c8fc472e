//! Looking at containers: records read from disk, corrected by the kernel. Readers take no lock.

use std::fs;
use std::io;

use crate::durable::{self, FileError};
use crate::layout::ContainerPaths;
use crate::spec::{ContainerSpec, ImageSource};
use crate::state::{Health, STATE_VERSION, State, Status};
use crate::{Engine, FindError, id};

/// A container as it was when it was looked at.
#[derive(Debug, Clone)]
pub struct Container {
    /// 64 hexadecimal digits.
    pub id: String,
    /// What it shall be; if that cannot be read, as good as nothing but its name.
    pub spec: ContainerSpec,
    /// Whether its record is damaged, so that nobody can say what it shall be: it can be looked at and removed.
    pub is_damaged: bool,
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
    /// Returns all containers, oldest first, those whose record is damaged among them.
    pub fn containers(&self) -> Result<Vec<Container>, FileError> {
        self.listed(Self::load_even_damaged)
    }

    /// The same, for whoever has to know what each of them needs: a record that is damaged fails the whole list, by its file's name.
    pub fn intact_containers(&self) -> Result<Vec<Container>, FileError> {
        self.listed(Self::load)
    }

    fn listed(
        &self,
        load: impl Fn(&Self, &str) -> Result<Option<Container>, FileError>,
    ) -> Result<Vec<Container>, FileError> {
        let mut containers = Vec::new();
        for id in self.container_ids()? {
            containers.extend(load(self, &id)?);
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

    /// The same, of one whose record is damaged too.
    pub fn find_even_damaged(&self, name: &str) -> Result<Container, FindError> {
        let id = match self.whole_id(name)? {
            Some(id) => id,
            None => self.abbreviated_id(name)?,
        };
        self.load_even_damaged(&id)?.ok_or_else(|| FindError::NotFound(name.to_owned()))
    }

    /// Returns the container with this name or whole id.
    pub fn find_whole(&self, name: &str) -> Result<Container, FindError> {
        let found = self.whole_id(name)?.map(|id| self.load(&id)).transpose()?;
        found.flatten().ok_or_else(|| FindError::NotFound(name.to_owned()))
    }

    /// Returns the only container whose id begins like this.
    pub fn find_abbreviated(&self, name: &str) -> Result<Container, FindError> {
        self.load(&self.abbreviated_id(name)?)?.ok_or_else(|| FindError::NotFound(name.to_owned()))
    }

    fn whole_id(&self, name: &str) -> Result<Option<String>, FileError> {
        let id = match id::is_name(name) {
            true => self.id_of_name(name)?,
            false => None,
        };
        Ok(id.or_else(|| id::is_id(name).then(|| name.to_owned())))
    }

    fn abbreviated_id(&self, name: &str) -> Result<String, FindError> {
        let mut candidates: Vec<String> =
            self.container_ids()?.into_iter().filter(|id| !name.is_empty() && id.starts_with(name)).collect();
        match candidates.len() {
            0 => Err(FindError::NotFound(name.to_owned())),
            1 => Ok(candidates.remove(0)),
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
        self.with_state(id, spec, false).map(Some)
    }

    /// The same, of one whose record is damaged too.
    pub fn load_even_damaged(&self, id: &str) -> Result<Option<Container>, FileError> {
        match self.load(id) {
            Err(FileError::Damaged { path, .. }) if path == self.layout.container(id).spec() => {
                let image = ImageSource { reference: "<damaged>".to_owned(), id: String::new() };
                self.with_state(id, ContainerSpec::new(self.name_of(id)?, image, Vec::new()), true).map(Some)
            }
            loaded => loaded,
        }
    }

    fn with_state(&self, id: &str, spec: ContainerSpec, is_damaged: bool) -> Result<Container, FileError> {
        let paths = self.layout.container(id);
        let state = self.load_state(id)?;
        let health = match (&spec.health, state.status.is_active()) {
            (Some(_), true) => Some(durable::read_json::<Health>(&paths.health())?.unwrap_or_default()),
            _ => None,
        };
        Ok(Container { id: id.to_owned(), spec, is_damaged, state, health, paths })
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

    /// Returns the name that leads to an id, and where none does, the beginning of the id.
    fn name_of(&self, id: &str) -> Result<String, FileError> {
        let directory = self.layout.names();
        let failed = || FileError::io("list", &directory);
        for entry in fs::read_dir(&directory).map_err(failed())? {
            let entry = entry.map_err(failed())?;
            if fs::read_link(entry.path()).is_ok_and(|target| target.as_os_str() == id) {
                return Ok(entry.file_name().to_string_lossy().into_owned());
            }
        }
        Ok(id::short(id).to_owned())
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
