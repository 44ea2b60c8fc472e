//! A root file system to read from: an image's, or that of a container whether it runs or not.
//!
//! Runs in the command. What is not mounted for a container is mounted for one thread alone, in a mount namespace of its
//! own: no other process sees it, and it goes with the thread, however that ends.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;

use lighter_images::progress::Silent;
use lighter_images::store::{Image, InstallError};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use crate::{Container, Engine, rootfs};

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
    /// A record could not be read.
    #[error(transparent)]
    File(#[from] crate::FileError),
}

impl Engine {
    /// Runs `f` with the root directory of a container's file system, without what is mounted in it.
    ///
    /// # Errors
    /// [`ViewError`].
    pub fn with_files_of<T: Send>(
        &self,
        container: &Container,
        f: impl FnOnce(OwnedFd) -> T + Send,
    ) -> Result<T, ViewError> {
        let name = &container.spec.name;
        if self.load_state(&container.id)?.status.is_active() && rootfs::is_mounted(&container.paths.rootfs()) {
            let root = File::open(container.paths.rootfs()).map_err(failed(name))?;
            return Ok(f(root.into()));
        }
        if container.paths.copy().exists() {
            return Ok(f(File::open(container.paths.copy()).map_err(failed(name))?.into()));
        }
        let source = &container.spec.image;
        let image = self.images.find(&source.id)?.ok_or_else(|| ViewError::NoImage(source.reference.clone()))?;
        let root = self.images.root_directory(&image);
        rootfs::adopt_root(root.as_deref(), &container.paths.upper()).map_err(failed(name))?;
        let lowers = [vec![container.paths.upper()], self.images.layers(&image)?].concat();
        self.with_layers(name, &lowers, None, f)
    }

    /// Runs `f` with the root directory of an image.
    ///
    /// # Errors
    /// [`ViewError`].
    pub fn with_files_of_image<T: Send>(
        &self,
        image: &Image,
        f: impl FnOnce(OwnedFd) -> T + Send,
    ) -> Result<T, ViewError> {
        let image = &self.images.complete(image.clone(), &Silent)?;
        let root = self.images.root_directory(image);
        self.with_layers(&image.name(), &self.images.layers(image)?, Some(root.as_deref()), f)
    }

    /// Runs `f` with these directories stacked, topmost first; with `adopted`, below an empty one that has the owner and
    /// mode of that directory.
    fn with_layers<T: Send>(
        &self,
        name: &str,
        lowers: &[PathBuf],
        adopted: Option<Option<&Path>>,
        f: impl FnOnce(OwnedFd) -> T + Send,
    ) -> Result<T, ViewError> {
        let place = self.layout.run();
        let inside = || -> Result<T, ViewError> {
            let root = stack(place, lowers, adopted).map_err(failed(name))?;
            Ok(f(root))
        };
        thread::scope(|scope| scope.spawn(inside).join()).unwrap_or_else(|panic| resume_unwind(panic))
    }
}

/// Mounts in a namespace of the calling thread's own, on top of `place`, which only has to be there.
fn stack(place: &Path, lowers: &[PathBuf], adopted: Option<Option<&Path>>) -> io::Result<OwnedFd> {
    let none = None::<&str>;
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    mount(none, place, Some("tmpfs"), MsFlags::empty(), Some("mode=700"))?;
    let directory = |name: &str| {
        let path = place.join(name);
        fs::DirBuilder::new().create(&path).map(|()| path)
    };
    let (top, target, bottom) = (directory("top")?, directory("merged")?, directory("bottom")?);
    // overlayfs without a writable directory wants two others at least.
    let mut all: Vec<PathBuf> = lowers.iter().cloned().chain([bottom]).collect();
    if let Some(image_root) = adopted {
        fs::set_permissions(&top, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
        rootfs::adopt_root(image_root, &top)?;
        all.insert(0, top);
    }
    rootfs::mount_read_only(&target, &all)?;
    Ok(File::open(&target)?.into())
}

fn failed(name: &str) -> impl Fn(io::Error) -> ViewError {
    let name = name.to_owned();
    move |source| ViewError::Mount { name: name.clone(), source }
}
