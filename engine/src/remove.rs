//! Deleting containers, and undoing what a container did to the host. Runs in the command and in the monitor.

use std::fs;
use std::io;
use std::time::Duration;

use lighter_runtime::cgroup::Cgroup;

use crate::create::REMOVING;
use crate::durable::{self, FileError};
use crate::events::Event;
use crate::{Container, Engine, Lock, MountKind, netns, rootfs};

/// How often a container is stopped that somebody else starts each time.
const MOST_STOPS: usize = 10;

/// What `rm` may do.
#[derive(Debug, Clone, Copy, Default)]
pub struct RemoveOptions {
    /// Kill it first if it runs.
    pub force: bool,
    /// Delete its anonymous volumes too.
    pub volumes: bool,
}

/// Why a container, or what it left behind, could not be removed.
#[derive(Debug, thiserror::Error)]
pub enum RemoveError {
    /// It runs.
    #[error("container `{0}` is running: stop it first, or use --force")]
    Running(String),
    /// It could not be stopped.
    #[error("stop container `{name}`")]
    Stop {
        /// The container.
        name: String,
        /// Why.
        #[source]
        source: Box<crate::ControlError>,
    },
    /// Its root filesystem is still mounted.
    #[error("unmount `{path}`")]
    Unmount {
        /// The mount point.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// An image is still mounted for it.
    #[error("unmount what container `{id}` has of images and volumes")]
    Image {
        /// The container.
        id: String,
        /// Why.
        #[source]
        source: crate::ImageMountError,
    },
    /// Its cgroup is still there.
    #[error("delete the cgroup of container `{id}`")]
    Cgroup {
        /// The container.
        id: String,
        /// Why.
        #[source]
        source: lighter_runtime::cgroup::CgroupError,
    },
    /// Its network is still there.
    #[error("unplug container `{id}`")]
    Network {
        /// The container.
        id: String,
        /// Why.
        #[source]
        source: netns::DetachError,
    },
    /// A volume could not be deleted.
    #[error(transparent)]
    Volume(#[from] crate::VolumeError),
    /// A file could not be deleted.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Engine {
    /// Deletes a container with its writable layer, logs and records.
    pub fn remove(&self, container: &Container, options: RemoveOptions) -> Result<(), RemoveError> {
        let lock = self.lock_stopped(container, options.force)?;
        self.tear_down(&container.id)?;
        self.delete_record(container)?;
        if options.volumes {
            self.remove_anonymous_volumes(container)?;
        }
        self.forget_addresses();
        self.tell(Event::of_container("destroy", &container.id, &container.spec));
        let _ = fs::remove_file(self.layout.container_lock(&container.id));
        drop(lock);
        Ok(())
    }

    /// Takes the lock of a container that does not run, which is stopped first if it does and that is wanted.
    ///
    /// Somebody may start it again between its end and the lock, but not for ever.
    fn lock_stopped(&self, container: &Container, force: bool) -> Result<Lock, RemoveError> {
        let name = &container.spec.name;
        let failed = |source| RemoveError::Stop { name: name.clone(), source: Box::new(source) };
        for _ in 0..MOST_STOPS {
            if force && self.load_state(&container.id)?.status.is_active() {
                self.stop_to_remove(container, Some(libc::SIGKILL), Some(Duration::from_secs(10))).map_err(failed)?;
            }
            let lock = self.lock_container(&container.id)?;
            if !self.load_state(&container.id)?.status.is_active() {
                return Ok(lock);
            }
            if !force {
                break;
            }
        }
        Err(RemoveError::Running(name.clone()))
    }

    /// Deletes the record and the files of a container that has ended. Needs the container's lock, by which [`Engine::sweep`] knows
    /// that somebody is at it.
    fn delete_record(&self, container: &Container) -> Result<(), FileError> {
        let records = self.lock_containers()?;
        records.begin()?; // the files take longer, so the next one who makes a container looks whether they are gone
        let directory = container.paths.dir();
        let removing = self.layout.containers().join(format!("{REMOVING}{}", container.id));
        match fs::rename(directory, &removing) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(FileError::io("remove", directory)(error));
            }
            _ => {}
        }
        durable::remove_file(&self.layout.ephemeral(&container.id))?;
        if fs::read_link(self.layout.name(&container.spec.name)).is_ok_and(|id| id.as_os_str() == container.id.as_str())
        {
            durable::remove_file(&self.layout.name(&container.spec.name))?;
        }
        // the record is gone and the name is free: who makes or deletes others need not wait for the files
        drop(records);
        durable::remove_tree(&removing)
    }

    fn remove_anonymous_volumes(&self, container: &Container) -> Result<(), RemoveError> {
        for mount in &container.spec.mounts {
            if let MountKind::Volume { name, anonymous: true, .. } = &mount.kind {
                match self.remove_volume(name) {
                    Err(crate::VolumeError::NotFound(_) | crate::VolumeError::InUse { .. }) => {}
                    // of another container, which may have it
                    Err(crate::VolumeError::File(FileError::Damaged { .. })) => {}
                    result => result?,
                }
            }
        }
        Ok(())
    }

    /// Undoes everything a run of the container did to the host; idempotent, and the later steps run even if one fails.
    ///
    /// 1 what another runtime knows of it; 2 processes, as they hold everything else; 3 cgroup; 4 mounts, those of images too;
    /// 5 network; 6 the run directory; 7 what is mounted at its volumes, last, as the run directory says who uses them.
    ///
    /// What is returned is to be dropped when nobody waits.
    pub(crate) fn tear_down(&self, id: &str) -> Result<netns::Spent, RemoveError> {
        let paths = self.layout.container(id);
        if let Ok(Some(foreign)) = self.foreign(id) {
            let _ = foreign.delete(); // a runtime that is gone must not keep its containers
        }
        let unmount = |path: std::path::PathBuf| {
            rootfs::unmount(&path).map_err(|source| RemoveError::Unmount { path: path.display().to_string(), source })
        };
        let steps = [
            self.tear_down_cgroup(id),
            unmount(paths.rootfs()),
            unmount(paths.shm()),
            unmount(paths.users()),
            rootfs::unmap(&paths)
                .map_err(|source| RemoveError::Unmount { path: paths.mapped().display().to_string(), source }),
            self.unmount_sources_of(&paths).map_err(|source| RemoveError::Image { id: id.to_owned(), source }),
        ];
        if paths.lends_network().exists() {
            // the namespace stays with who has joined it, who could turn the interfaces on again that are only turned off
            let _ = self.net.delete_interfaces(id);
        }
        let detached = self.net.detach(id).map_err(|source| RemoveError::Network { id: id.to_owned(), source });
        steps.into_iter().collect::<Result<(), _>>()?;
        let spent = detached?;
        durable::remove_tree(paths.run())?;
        self.release_volumes(id)?;
        Ok(spent)
    }

    fn tear_down_cgroup(&self, id: &str) -> Result<(), RemoveError> {
        let Some(cgroup) = self.cgroup_of(id) else { return Ok(()) };
        let error = |source| RemoveError::Cgroup { id: id.to_owned(), source };
        let _ = cgroup.thaw(); // a frozen process does not die on cgroup v1
        cgroup.kill_all().map_err(error)?;
        cgroup.delete().map_err(error)
    }

    /// Returns the cgroup of a container that was started since the last boot.
    pub(crate) fn cgroup_of(&self, id: &str) -> Option<Cgroup> {
        let path = durable::read_json::<String>(&self.layout.container(id).cgroup()).ok().flatten()?;
        Cgroup::open(&path).ok()
    }

    /// Returns whether a run of the container left something on the host.
    pub(crate) fn has_leftovers(&self, id: &str) -> bool {
        self.layout.container(id).run().exists() || self.net.is_live(id)
    }
}
