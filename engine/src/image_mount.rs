//! Images mounted for reading: on the host by `image mount`, in a container by its monitor.
//!
//! On the host: a directory of `RUN/images`, named by the image's id, has the mount point `merged`; whether it is
//! mounted is the kernel's to say. Nothing of it is left after a reboot.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use lighter_images::digest::Digest;
use lighter_images::progress::Silent;
use lighter_images::store::{Image, InstallError, StoreError};

use crate::durable::{self, FileError};
use crate::layout::ContainerPaths;
use crate::{Engine, Lock, rootfs, volume};

/// Name of the mount point in the directory of a mount.
const MERGED: &str = "merged";

/// An image that is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageMount {
    /// The image's id.
    pub image: Digest,
    /// Where its files are.
    pub path: PathBuf,
}

/// Why an image could not be mounted or unmounted.
#[derive(Debug, thiserror::Error)]
pub enum ImageMountError {
    /// The kernel refused.
    #[error("{act} `{}`", path.display())]
    Mount {
        /// `mount an image on`, `unmount`.
        act: &'static str,
        /// The mount point.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is not mounted.
    #[error("image `{0}` is not mounted")]
    NotMounted(String),
    /// There is no such image, or a layer of it is missing.
    #[error(transparent)]
    Images(#[from] StoreError),
    /// A layer cannot be unpacked.
    #[error(transparent)]
    Unpack(#[from] InstallError),
    /// A directory could not be made or removed.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Engine {
    /// Mounts the image that `name` means and returns where; one that is mounted stays as it is.
    ///
    /// # Errors
    /// [`ImageMountError`].
    pub fn mount_image(&self, name: &str) -> Result<ImageMount, ImageMountError> {
        let _lock = Lock::take(&self.layout.lock("images"))?;
        if let Some(image) = self.images.find(name)? {
            self.images.complete(image, &Silent)?;
        }
        // Under the store's lock, so that the image is not removed between the look at it and the mount.
        self.images.locked(|store| {
            let image = store.find(name)?.ok_or_else(|| StoreError::NoSuchImage(name.to_owned()))?;
            self.mount_layers(&image)
        })?
    }

    fn mount_layers(&self, image: &Image) -> Result<ImageMount, ImageMountError> {
        let mount = self.place_of(&image.id);
        if rootfs::is_mounted(&mount.path) {
            return Ok(mount);
        }
        let directory = self.layout.image_mounts().join(image.id.hex());
        durable::remove_tree(&directory)?;
        self.mount_below(image, &directory)?;
        Ok(mount)
    }

    /// Mounts an image on `merged` in a directory that is not there yet, and returns the path.
    fn mount_below(&self, image: &Image, directory: &Path) -> Result<PathBuf, ImageMountError> {
        let (path, top, bottom) = (directory.join(MERGED), directory.join("top"), directory.join("bottom"));
        let failed = |source| ImageMountError::Mount { act: "mount an image on", path: path.clone(), source };
        [&path, &top, &bottom].into_iter().try_for_each(|path| durable::create_dir(path))?;
        let root = self.images.root_directory(image);
        rootfs::adopt_root(root.as_deref(), &top).map_err(failed)?;
        let lowers = [vec![top], self.images.layers(image)?, vec![bottom]].concat();
        rootfs::mount_read_only(&path, &lowers).map_err(failed)?;
        Ok(path)
    }

    /// Mounts the image `id` for a container that is being started, below its run directory, as its mount `number`; returns
    /// what of it the container sees.
    pub(crate) fn mount_image_for(
        &self,
        paths: &ContainerPaths,
        (number, id): (usize, &str),
        subpath: Option<&str>,
    ) -> Result<PathBuf, ImageMountError> {
        let image = self.images.find(id)?.ok_or_else(|| StoreError::NoSuchImage(id.to_owned()))?;
        let path = paths.mount_source(number);
        self.mount_below(&image, path.parent().expect("it is below the run directory"))?;
        let Some(subpath) = subpath else { return Ok(path) };
        let failed = |source| ImageMountError::Mount { act: "mount from an image", path: subpath.into(), source };
        // nobody can exchange it afterwards: it is mounted for reading
        volume::beneath(&path, subpath).map(|_is_there| path.join(subpath)).map_err(failed)
    }

    /// Unmounts the images and the parts of volumes that a container has.
    pub(crate) fn unmount_sources_of(&self, paths: &ContainerPaths) -> Result<(), ImageMountError> {
        for mount in fs::read_dir(paths.mount_sources()).into_iter().flatten().flatten() {
            let path = mount.path().join(MERGED);
            rootfs::unmount(&path).map_err(|source| ImageMountError::Mount { act: "unmount", path, source })?;
        }
        Ok(())
    }

    /// Returns the images that are mounted, by id.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn mounted_images(&self) -> Result<Vec<ImageMount>, FileError> {
        let directory = self.layout.image_mounts();
        let entries = match fs::read_dir(&directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(FileError::io("list", &directory))?,
        };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let ids = names.filter_map(|name| format!("sha256:{name}").parse().ok());
        let mut mounts: Vec<_> = ids.map(|id| self.place_of(&id)).collect();
        mounts.retain(|mount| rootfs::is_mounted(&mount.path));
        mounts.sort_by(|a, b| a.image.cmp(&b.image));
        Ok(mounts)
    }

    /// Unmounts an image. What is open in it stays readable until it is closed.
    ///
    /// # Errors
    /// [`ImageMountError::NotMounted`], or the kernel's.
    pub fn unmount_image(&self, id: &Digest) -> Result<(), ImageMountError> {
        let _lock = Lock::take(&self.layout.lock("images"))?;
        let mount = self.place_of(id);
        if !rootfs::is_mounted(&mount.path) {
            return Err(ImageMountError::NotMounted(id.short().to_owned()));
        }
        let failed = |source| ImageMountError::Mount { act: "unmount", path: mount.path.clone(), source };
        rootfs::unmount(&mount.path).map_err(failed)?;
        Ok(durable::remove_tree(&self.layout.image_mounts().join(id.hex()))?)
    }

    fn place_of(&self, id: &Digest) -> ImageMount {
        ImageMount { image: id.clone(), path: self.layout.image_mounts().join(id.hex()).join(MERGED) }
    }
}
