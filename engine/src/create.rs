//! Making a container: a record on disk, whole or not at all. Runs in the command.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;

use jiff::Timestamp;

use crate::durable::{self, FileError};
use crate::ephemeral::can_be as can_be_ephemeral;
use crate::events::Event;
use crate::images::progress::Silent;
use crate::images::store::{InstallError, StoreError};
use crate::oci::{self, ConfigError};
use crate::runtime::trace::{self, Effect};
use crate::spec::{ContainerSpec, Ipc, Mount, MountKind, Namespace, NetworkMode, VolumesFrom};
use crate::state::State;
use crate::volume::VolumeError;
use crate::{Container, Engine, InitError, RuntimesError, etc, id, lock, netns, volume};

/// Why a container could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// Not a name.
    #[error("`{0}` is no container name: letters, digits, `_`, `.` and `-` only, a letter or digit first")]
    Name(String),
    /// Another container has the name.
    #[error("the container name `{name}` is in use by container {holder}")]
    NameTaken {
        /// The name.
        name: String,
        /// Short id of its owner.
        holder: String,
    },
    /// Nothing to execute.
    #[error("no command specified, and image `{0}` has none")]
    NoCommand(String),
    /// So little memory that nothing can run in it.
    #[error("a memory limit of {0} bytes: the least is 6 MiB ({LEAST_MEMORY})")]
    Memory(u64),
    /// Mount target is not absolute.
    #[error("mount target `{0}` is not an absolute path")]
    Target(String),
    /// Working directory is not absolute.
    #[error("working directory `{0}` is not an absolute path")]
    WorkingDirectory(String),
    /// A capability or a limit that there is not.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A line of the container's files of names would become several.
    #[error("`{option}` `{}` has control characters", value.escape_debug())]
    Control {
        /// The setting, by its Compose key.
        option: &'static str,
        /// Its value.
        value: String,
    },
    /// The source of a bind mount is missing.
    #[error("bind source path does not exist: `{0}`")]
    NoBindSource(String),
    /// No runtime has that name.
    #[error(transparent)]
    Runtime(#[from] RuntimesError),
    /// Users of its own are nobody in what is shared.
    #[error("users of its own (`userns`) and {0} contradict each other")]
    Users(&'static str),
    /// Another runtime's containers can have no init here.
    #[error(transparent)]
    Init(#[from] InitError),
    /// A volume could not be made.
    #[error(transparent)]
    Volume(#[from] VolumeError),
    /// The image's layers could not be unpacked.
    #[error(transparent)]
    Image(#[from] InstallError),
    /// Its fixed addresses could not be kept for it.
    #[error(transparent)]
    Network(#[from] netns::NetworkError),
    /// The record could not be written.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Engine {
    /// Records a container; its named volumes are made if they are missing.
    ///
    /// Nothing is mounted or started. A crash leaves the whole container or none. An image that was pushed to this host and never
    /// used is unpacked first.
    ///
    /// Anonymous volumes without a name get one.
    pub fn create(&self, spec: ContainerSpec) -> Result<Container, CreateError> {
        self.record(spec, false)
    }

    /// As [`Engine::create`], for a container that nobody wants back after a reboot: nothing waits for the disk.
    ///
    /// One that has anonymous volumes is recorded as any other, so that they are found.
    pub fn create_ephemeral(&self, spec: ContainerSpec) -> Result<Container, CreateError> {
        self.forget_lost()?;
        self.record(spec, true)
    }

    /// Records a container that is started at once: nobody wants one back after a reboot that is to be removed at its end.
    pub fn create_to_run(&self, spec: ContainerSpec) -> Result<Container, CreateError> {
        if spec.auto_remove { self.create_ephemeral(spec) } else { self.create(spec) }
    }

    fn record(&self, mut spec: ContainerSpec, ephemeral: bool) -> Result<Container, CreateError> {
        check(&spec)?;
        self.check_runtime(&spec)?;
        if spec.layers.is_none()
            && let Some(image) = self.images().find(&spec.image.id).map_err(InstallError::from)?
        {
            self.images().complete(image, &Silent)?;
        }
        self.settle_images(&mut spec.mounts)?;
        let records = self.lock_containers()?;
        let are_whole = records.are_whole() || self.sweep()?;
        self.settle_volumes(&mut spec)?;
        if let Some(holder) = self.id_of_name(&spec.name)? {
            return Err(CreateError::NameTaken { holder: id::short(&holder).to_owned(), name: spec.name });
        }
        for mount in &spec.mounts {
            if let MountKind::Volume { name, anonymous, .. } = &mount.kind {
                self.ensure_volume(&volume::named(name, *anonymous))?;
            }
        }
        let id = id::random().map_err(FileError::io("read random numbers for", &self.layout.containers()))?;
        records.begin()?;
        // before the record: a name without a container is free, a container without a name would be found by no name
        self.claim_name(&spec.name, &id)?;
        let effect = || Effect::MakeDirectory { path: self.layout.container(&id).dir().display().to_string() };
        trace::step(effect, || self.write_record(&id, &spec, ephemeral && can_be_ephemeral(&spec)))?;
        if are_whole {
            records.finish();
        }
        self.keep_addresses(&id, &spec)?;
        self.tell(Event::of_container("create", &id, &spec));
        let container = self.load(&id)?;
        Ok(container.expect("the record was written above, and the lock keeps others from deleting it"))
    }

    /// Refuses a runtime that there is not, and what it would not know of.
    pub fn check_runtime(&self, spec: &ContainerSpec) -> Result<(), CreateError> {
        let Some(name) = &spec.runtime else { return Ok(()) };
        match self.runtimes.find(name)? {
            Some(_) if spec.isolation.own_users => Err(CreateError::Users("another OCI runtime")),
            Some(_) if spec.init => Ok(self.runtimes.init().map(drop)?),
            _ => Ok(()),
        }
    }

    /// Says of each image that is mounted which it is, and unpacks it if need be.
    fn settle_images(&self, mounts: &mut [Mount]) -> Result<(), InstallError> {
        for mount in mounts {
            let MountKind::Image { reference, id, .. } = &mut mount.kind else { continue };
            let wanted = if id.is_empty() { &*reference } else { &*id };
            let image = self.images().find(wanted)?.ok_or_else(|| StoreError::NoSuchImage(reference.clone()))?;
            *id = image.id.to_string();
            mount.read_only = true;
            self.images().complete(image, &Silent)?;
        }
        Ok(())
    }

    /// Adds the mounts of other containers and names anonymous volumes. Needs the containers' lock: who lends keeps what it
    /// lends until the record of the new container is there.
    fn settle_volumes(&self, spec: &mut ContainerSpec) -> Result<(), VolumeError> {
        let lent = |from: &VolumesFrom| {
            let mut mounts = self.find(&from.container)?.spec.mounts;
            mounts.iter_mut().for_each(|mount| mount.read_only |= from.read_only);
            Ok(mounts)
        };
        let lent = spec.volumes_from.iter().map(lent).collect::<Result<Vec<_>, _>>();
        volume::take_over(&mut spec.mounts, lent.map_err(VolumeError::Lender)?.concat());
        for mount in &mut spec.mounts {
            if let MountKind::Volume { name, anonymous: true, .. } = &mut mount.kind
                && name.is_empty()
            {
                *name = crate::random_name();
            }
        }
        Ok(())
    }

    fn write_record(&self, id: &str, spec: &ContainerSpec, ephemeral: bool) -> Result<(), FileError> {
        let building = self.layout.containers().join(format!("{CREATING}{id}"));
        durable::create_dir(&building)?;
        for directory in ["upper", "work", "logs", "etc"] {
            durable::create_dir(&building.join(directory))?;
        }
        match ephemeral {
            true => self.write_ephemeral(id, spec, &building)?,
            false => durable::write_json(&building.join("spec.json"), spec, true)?,
        }
        durable::write_json(&building.join("state.json"), &State::created(Timestamp::now()), !ephemeral)?;
        let path = self.layout.container(id).dir().to_owned();
        fs::rename(&building, &path).map_err(FileError::io("create", &path))?;
        match ephemeral {
            true => Ok(()),
            false => durable::sync_parent(&path).map_err(FileError::io("sync", &path)),
        }
    }

    pub(crate) fn claim_name(&self, name: &str, id: &str) -> Result<(), FileError> {
        let link = self.layout.name(name);
        durable::create_dir(&self.layout.names())?;
        durable::remove_file(&link)?;
        symlink(id, &link).map_err(FileError::io("claim name", &link))
    }

    /// Finishes what killed commands began: records half made or half deleted. Needs the containers' lock. What is being deleted
    /// at this moment is left to who does it; returns whether there was no such thing.
    pub(crate) fn sweep(&self) -> Result<bool, FileError> {
        let directory = self.layout.containers();
        let (mut containers, mut are_whole) = (0, true);
        for entry in fs::read_dir(&directory).map_err(FileError::io("list", &directory))? {
            let entry = entry.map_err(FileError::io("list", &directory))?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            match name.strip_prefix(REMOVING) {
                Some(id) if lock::is_held(&self.layout.container_lock(id)) => are_whole = false,
                None if !name.starts_with(CREATING) => containers += usize::from(id::is_id(&name)),
                _ => durable::remove_tree(&entry.path())?,
            }
        }
        self.sweep_ephemerals()?;
        let names = self.layout.names();
        let entries = match fs::read_dir(&names) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(are_whole),
            entries => entries.map_err(FileError::io("list", &names))?,
        };
        let entries: Vec<_> = entries.flatten().collect();
        // every container has a name: only one too many leads nowhere, or to one whose rename was cut short
        if entries.len() <= containers {
            return Ok(are_whole);
        }
        for entry in entries {
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_stale = match self.id_of_name(&name)? {
                Some(id) => self.is_stale_name(&name, &id)?,
                None => true,
            };
            if is_stale {
                durable::remove_file(&entry.path())?;
            }
        }
        Ok(are_whole)
    }
}

/// Prefix of a record that is being written.
pub(crate) const CREATING: &str = ".creating-";
/// Prefix of a record that is being deleted.
pub(crate) const REMOVING: &str = ".removing-";

/// The least memory in bytes that a container may be limited to, as docker has it: with less not even its first program can
/// be executed.
pub(crate) const LEAST_MEMORY: u64 = 6 << 20;

/// Returns what a container shares with others that users of its own have no rights in.
fn shared(spec: &ContainerSpec) -> Option<&'static str> {
    let isolation = &spec.isolation;
    let shared = [
        (isolation.privileged, "`privileged`"),
        (isolation.pid != Namespace::Private, "processes of others (`pid`)"),
        (matches!(isolation.ipc, Ipc::Host | Ipc::Container(_)), "memory of others (`ipc`)"),
        (isolation.uts != Namespace::Private, "a host name of others (`uts`)"),
        (matches!(spec.network, NetworkMode::Host | NetworkMode::Container(_)), "a network of others"),
    ];
    shared.into_iter().find(|(is_shared, _)| *is_shared).map(|(_, what)| what)
}

fn check(spec: &ContainerSpec) -> Result<(), CreateError> {
    if !id::is_name(&spec.name) {
        return Err(CreateError::Name(spec.name.clone()));
    }
    if spec.args.is_empty() {
        return Err(CreateError::NoCommand(spec.image.reference.clone()));
    }
    if let Some(memory) = spec.resources.memory
        && memory < LEAST_MEMORY
    {
        return Err(CreateError::Memory(memory));
    }
    if let Some((option, value)) = etc::broken_line(spec) {
        return Err(CreateError::Control { option, value: value.to_owned() });
    }
    if let Some(with) = spec.isolation.own_users.then(|| shared(spec)).flatten() {
        return Err(CreateError::Users(with));
    }
    if !spec.working_dir.starts_with('/') {
        return Err(CreateError::WorkingDirectory(spec.working_dir.clone()));
    }
    oci::check(&spec.isolation)?;
    for mount in &spec.mounts {
        if !mount.target.starts_with('/') {
            return Err(CreateError::Target(mount.target.clone()));
        }
        if let MountKind::Bind { source, create: false, .. } = &mount.kind
            && !source.exists()
        {
            return Err(CreateError::NoBindSource(source.display().to_string()));
        }
    }
    Ok(())
}
