//! Named volumes: a directory, a record, and the copy of the image's content into an empty one.

pub(crate) mod copy_up;
mod lent;
mod options;
mod part;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use serde::{Deserialize, Serialize};

use crate::create::REMOVING;
use crate::durable::{self, FileError};
use crate::events::{Event, EventKind};
use crate::runtime::trace::{self, Effect};
use crate::{Engine, id};

use copy_up::copy_up;
pub(crate) use lent::take_over;
pub use options::{VolumeOptionError, check as check_volume_options};
pub(crate) use part::mount_part;

/// Label of a volume that belongs to one container.
const ANONYMOUS: &str = "com.docker.volume.anonymous";

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Its name: `[a-zA-Z0-9][a-zA-Z0-9_.-]*`.
    pub name: String,
    /// Labels, for people and filters.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// What is mounted there: `type`, `device` and `o` as Docker's driver `local` has them; empty = a plain directory.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// The directory with its content.
    #[serde(skip)]
    pub mountpoint: PathBuf,
}

/// Why something could not be done with a volume.
#[derive(Debug, thiserror::Error)]
pub enum VolumeError {
    /// Not a name.
    #[error("`{0}` is no volume name: letters, digits, `_`, `.` and `-` only, a letter or digit first")]
    Name(String),
    /// There is none.
    #[error("no such volume `{0}`")]
    NotFound(String),
    /// A container needs it.
    #[error("volume `{name}` is in use by container {holder}")]
    InUse {
        /// The volume.
        name: String,
        /// Name of the container.
        holder: String,
    },
    /// There is no container to take volumes from.
    #[error("take the volumes of another container")]
    Lender(#[source] crate::FindError),
    /// Copying the image's content failed.
    #[error("copy the image's `{target}` into volume `{name}`")]
    CopyUp {
        /// The volume.
        name: String,
        /// Path in the container.
        target: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The folder asked for is not in the volume.
    #[error("folder `{subpath}` of volume `{name}`")]
    Subpath {
        /// The volume.
        name: String,
        /// The folder.
        subpath: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Its options cannot be.
    #[error(transparent)]
    Options(#[from] VolumeOptionError),
    /// What its options say cannot be mounted, or not unmounted.
    #[error("{act} volume `{name}`")]
    Mount {
        /// `mount` or `unmount`.
        act: &'static str,
        /// The volume.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// What a volume shall be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeSpec {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// What is mounted there; see [`Volume::options`].
    pub options: BTreeMap<String, String>,
}

/// Returns the volume that is made because a container names it.
pub(crate) fn named(name: &str, anonymous: bool) -> VolumeSpec {
    let label = anonymous.then(|| (ANONYMOUS.to_owned(), String::new()));
    VolumeSpec { name: name.to_owned(), labels: label.into_iter().collect(), options: BTreeMap::new() }
}

/// Returns whether a volume belongs to one container, which has made it.
pub fn is_anonymous(volume: &Volume) -> bool {
    volume.labels.contains_key(ANONYMOUS)
}

/// Opens what is at `subpath` of a directory, if it is there and no link leads to it.
pub(crate) fn beneath(directory: &Path, subpath: &str) -> io::Result<OwnedFd> {
    let root = fs::File::open(directory)?;
    let inside = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS | ResolveFlag::RESOLVE_NO_SYMLINKS;
    let how = OpenHow::new().flags(OFlag::O_PATH | OFlag::O_CLOEXEC).resolve(inside);
    Ok(openat2(root.as_fd(), subpath, how)?)
}

impl Engine {
    /// Returns the volume, made as `spec` says if it was not there.
    pub fn ensure_volume(&self, spec: &VolumeSpec) -> Result<Volume, VolumeError> {
        let VolumeSpec { name, labels, options } = spec;
        if !id::is_name(name) {
            return Err(VolumeError::Name(name.to_owned()));
        }
        options::check(options)?;
        let _lock = crate::Lock::take(&self.layout.lock("volumes"))?;
        if let Some(volume) = self.volume(name)? {
            return Ok(volume);
        }
        let directory = self.layout.volumes().join(name);
        self.sweep_volumes();
        durable::create_dir(&directory)?;
        let mountpoint = directory.join("_data");
        // its owner and mode are the image's business once something is copied up, so it starts open like Docker's
        let effect = || Effect::MakeDirectory { path: mountpoint.display().to_string() };
        trace::step(effect, || fs::create_dir_all(&mountpoint))
            .map_err(FileError::io("create directory", &mountpoint))?;
        fs::set_permissions(&mountpoint, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .map_err(FileError::io("change the mode of", &mountpoint))?;
        let (name, labels, options) = (name.clone(), labels.clone(), options.clone());
        let volume = Volume { name, labels, options, created_at: Timestamp::now(), mountpoint };
        durable::write_json(&directory.join("volume.json"), &volume, true)?;
        durable::sync_parent(&directory).map_err(FileError::io("sync", &directory))?;
        self.tell(Event::now(EventKind::Volume, "create", &volume.name).with("driver", "local"));
        Ok(volume)
    }

    /// Returns a volume by name; `None` if there is none.
    pub fn volume(&self, name: &str) -> Result<Option<Volume>, FileError> {
        if !id::is_name(name) {
            return Ok(None);
        }
        let directory = self.layout.volumes().join(name);
        let volume = durable::read_json::<Volume>(&directory.join("volume.json"))?;
        Ok(volume.map(|volume| Volume { mountpoint: directory.join("_data"), ..volume }))
    }

    /// Returns all volumes by name.
    pub fn volumes(&self) -> Result<Vec<Volume>, FileError> {
        let directory = self.layout.volumes();
        let mut volumes = Vec::new();
        for entry in fs::read_dir(&directory).map_err(FileError::io("list", &directory))? {
            let name = entry.map_err(FileError::io("list", &directory))?.file_name();
            volumes.extend(self.volume(&name.to_string_lossy())?);
        }
        volumes.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(volumes)
    }

    /// Deletes a volume and its content; refused while a container has it.
    pub fn remove_volume(&self, name: &str) -> Result<(), VolumeError> {
        let _lock = crate::Lock::take(&self.layout.lock("volumes"))?;
        self.volume(name)?.ok_or_else(|| VolumeError::NotFound(name.to_owned()))?;
        if let Some(holder) = self.volume_holder(name)? {
            return Err(VolumeError::InUse { name: name.to_owned(), holder });
        }
        let directory = self.layout.volumes().join(name);
        self.unmount_volume(name)?; // a monitor that was killed has left it
        // by one step it is no volume any more, however far the deletion of the content comes: who makes another one of that name
        // must not find a part of it there
        let removing = self.layout.volumes().join(format!("{REMOVING}{name}"));
        durable::remove_tree(&removing)?;
        fs::rename(&directory, &removing).map_err(FileError::io("remove", &directory))?;
        durable::remove_tree(&removing)?;
        self.tell(Event::now(EventKind::Volume, "destroy", name).with("driver", "local"));
        Ok(())
    }

    /// Finishes deletions that were cut short. Needs the volumes' lock.
    fn sweep_volumes(&self) {
        for entry in fs::read_dir(self.layout.volumes()).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(REMOVING) {
                // somebody has mounted something in it, say: that is no reason to make no volume
                let _ = durable::remove_tree(&entry.path());
            }
        }
    }

    /// Returns the volumes that no container has.
    pub fn unused_volumes(&self) -> Result<Vec<Volume>, FileError> {
        let used: std::collections::BTreeSet<String> = self
            .intact_containers()?
            .into_iter()
            .flat_map(|container| container.spec.volumes().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        let mut volumes = self.volumes()?;
        volumes.retain(|volume| !used.contains(&volume.name));
        Ok(volumes)
    }

    /// Returns the volume as a container has it at `target` of its root filesystem: mounted as its options say, and filled with what
    /// the image has there unless it shall not be.
    pub(crate) fn ready_volume(
        &self,
        spec: &VolumeSpec,
        no_copy: bool,
        (rootfs, target): (&Path, &str),
    ) -> Result<Volume, VolumeError> {
        let volume = self.ensure_volume(spec)?;
        self.mount_volume(&volume)?;
        if !no_copy {
            // two replicas may start at once: one of them fills it
            let _lock = self.lock_volume(&spec.name)?;
            copy_up(rootfs, target, &volume)?;
        }
        Ok(volume)
    }

    /// Mounts what the options of a volume say, unless it is.
    pub(crate) fn mount_volume(&self, volume: &Volume) -> Result<(), VolumeError> {
        let _lock = crate::Lock::take(&self.layout.lock("volumes"))?;
        let failed = |source| VolumeError::Mount { act: "mount", name: volume.name.clone(), source };
        options::ensure_mounted(&volume.options, &volume.mountpoint).map_err(failed)
    }

    /// Unmounts the volumes of a container that has ended, as far as no other one that runs has them.
    pub(crate) fn release_volumes(&self, id: &str) -> Result<(), VolumeError> {
        let Some(container) = self.load_even_damaged(id)? else { return Ok(()) };
        for name in container.spec.volumes() {
            if self.volume(name)?.is_none_or(|volume| volume.options.is_empty()) {
                continue;
            }
            let _lock = crate::Lock::take(&self.layout.lock("volumes"))?;
            let is_used = self.containers()?.iter().any(|other| {
                other.id != id
                    && (other.state.status.is_active() || other.paths().run().exists())
                    && (other.is_damaged || other.spec.volumes().any(|volume| volume == name))
            });
            if !is_used {
                self.unmount_volume(name)?;
            }
        }
        Ok(())
    }

    fn unmount_volume(&self, name: &str) -> Result<(), VolumeError> {
        let mountpoint = self.layout.volumes().join(name).join("_data");
        let failed = |source| VolumeError::Mount { act: "unmount", name: name.to_owned(), source };
        match options::is_mounted(&mountpoint).map_err(failed)? {
            true => crate::rootfs::unmount(&mountpoint).map_err(failed),
            false => Ok(()),
        }
    }

    fn volume_holder(&self, wanted: &str) -> Result<Option<String>, FileError> {
        let holder = self.intact_containers()?.into_iter().find(|c| c.spec.volumes().any(|name| name == wanted));
        Ok(holder.map(|container| container.spec.name))
    }
}
