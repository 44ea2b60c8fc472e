//! A root file system to read from: an image's, or that of a container whether it runs or not.
//!
//! Runs in the command. What is not mounted for a container is mounted in a mount namespace that ends at once: no other
//! process sees it, and it goes with the descriptor of its root, however this process ends.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;

use lighter_images::progress::Silent;
use lighter_images::store::{Image, InstallError};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use crate::{Container, Engine, LayerStack, rootfs};

/// Why there is nothing to read from.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// The kernel refused.
    #[error("mount the files of `{name}` for reading")]
    Mount {
        /// The container or image.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The image is not in the store.
    #[error("image `{0}` is not in the store")]
    NoImage(String),
    /// A layer is missing.
    #[error(transparent)]
    Images(#[from] lighter_images::store::StoreError),
    /// A layer cannot be unpacked.
    #[error(transparent)]
    Unpack(#[from] InstallError),
    /// A volume cannot be seen.
    #[error(transparent)]
    Volume(#[from] crate::VolumeError),
    /// A record could not be read.
    #[error(transparent)]
    File(#[from] crate::FileError),
}

impl Engine {
    /// Opens the root directory of a container's file system, without what is mounted in it.
    ///
    /// # Errors
    /// [`ViewError`].
    pub(crate) fn files_of(&self, container: &Container) -> Result<OwnedFd, ViewError> {
        let (name, paths) = (&container.spec.name, &container.paths);
        let state = self.load_state(&container.id)?;
        if state.status.is_active() {
            // for another runtime it is mounted all the time; for ours, until the container runs
            if let Some(root) = rootfs::open_mounted(&paths.rootfs()).map_err(failed(name))? {
                return Ok(root);
            }
            if let Some(init) = state.init.filter(|init| init.is_alive()) {
                return rootfs::of_process(init).map_err(failed(name));
            }
        }
        if paths.copy().exists() {
            return Ok(File::open(paths.copy()).map_err(failed(name))?.into());
        }
        let below = self.layers_of(container)?;
        rootfs::adopt_root(below.root.as_deref(), &paths.upper()).map_err(failed(name))?;
        let layers = [vec![paths.upper()], below.lowers].concat();
        self.stacked(&layers, None).map_err(failed(name))
    }

    /// Returns where the host sees the root directory of a container, with what is mounted in it; nothing is there while it does not
    /// run.
    pub fn root_directory(&self, container: &Container) -> Result<PathBuf, crate::FileError> {
        let init = self.load_state(&container.id)?.init.filter(|init| init.is_alive());
        Ok(match init {
            // what the processes of another runtime see may be no file system of ours
            Some(init) if self.foreign(&container.id)?.is_none() => format!("/proc/{}/root", init.pid).into(),
            _ => container.paths.rootfs(),
        })
    }

    /// Returns what a container stands on: its image's layers, or the folder it was given.
    ///
    /// # Errors
    /// [`ViewError::NoImage`] and [`ViewError::Images`].
    pub fn layers_of(&self, container: &Container) -> Result<LayerStack, ViewError> {
        if let Some(layers) = &container.spec.layers {
            return Ok(layers.clone());
        }
        let source = &container.spec.image;
        let image = self.images.find(&source.id)?.ok_or_else(|| ViewError::NoImage(source.reference.clone()))?;
        Ok(LayerStack {
            lowers: self.images.layers(&image)?,
            root: self.images.root_directory(&image),
            is_volatile: false,
        })
    }

    /// Opens the root directory of an image.
    ///
    /// # Errors
    /// [`ViewError`].
    pub(crate) fn files_of_image(&self, image: &Image) -> Result<OwnedFd, ViewError> {
        let image = &self.images.complete(image.clone(), &Silent)?;
        let root = self.images.root_directory(image);
        self.stacked(&self.images.layers(image)?, Some(root.as_deref())).map_err(failed(&image.name()))
    }

    /// Stacks these directories, topmost first; with `adopted`, below an empty one that has the owner and mode of that
    /// directory. A thread does, which a namespace can be given to; what it mounted stays until the descriptor is closed.
    fn stacked(&self, layers: &[PathBuf], adopted: Option<Option<&Path>>) -> io::Result<OwnedFd> {
        let inside = || stack(self.layout.run(), layers, adopted);
        thread::scope(|scope| scope.spawn(inside).join()).unwrap_or_else(|panic| resume_unwind(panic))
    }
}

/// Mounts in a namespace of the calling thread's own, on top of `place`, which only has to be there.
fn stack(place: &Path, layers: &[PathBuf], adopted: Option<Option<&Path>>) -> io::Result<OwnedFd> {
    let none = None::<&str>;
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    // Opened before that place is covered, which they may be below, and in this namespace, as overlayfs wants them.
    let open = |path: &Path| File::open(path);
    let layers = layers.iter().map(|layer| open(layer)).collect::<io::Result<Vec<_>>>()?;
    let image_root = adopted.map(|root| root.map(open).transpose()).transpose()?;
    mount(none, place, Some("tmpfs"), MsFlags::empty(), Some("mode=700"))?;
    let directory = |name: &str| {
        let path = place.join(name);
        fs::DirBuilder::new().mode(0o700).create(&path).map(|()| path)
    };
    let (top, target, bottom) = (directory("top")?, directory("merged")?, directory("bottom")?);
    // overlayfs without a writable directory wants two others at least.
    let mut all: Vec<PathBuf> = layers.iter().map(by_descriptor).chain([bottom]).collect();
    if let Some(image_root) = image_root {
        rootfs::adopt_root(image_root.as_ref().map(by_descriptor).as_deref(), &top)?;
        all.insert(0, top);
    }
    rootfs::mount_read_only(&target, &all)?;
    Ok(File::open(&target)?.into())
}

fn by_descriptor(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

fn failed(name: &str) -> impl Fn(io::Error) -> ViewError {
    let name = name.to_owned();
    move |source| ViewError::Mount { name: name.clone(), source }
}
