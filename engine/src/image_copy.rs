//! `image cp`: a file or folder of an image on the host.
//!
//! Runs in the command. The copy appears whole, by a rename.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use lighter_images::store::Image;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};

use crate::volume::copy_up;
use crate::{Engine, ViewError};

/// Why nothing could be copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The image's files cannot be seen.
    #[error(transparent)]
    View(#[from] ViewError),
    /// The image has no such file.
    #[error("image `{image}` has no `/{path}`")]
    NotFound {
        /// The image.
        image: String,
        /// The path.
        path: String,
    },
    /// A folder would have to be joined with the one there.
    #[error("`{}` is there already", .0.display())]
    Exists(PathBuf),
    /// The copy cannot be made.
    #[error("copy `/{path}` of image `{image}` to `{}`", target.display())]
    Copy {
        /// The image.
        image: String,
        /// The path.
        path: String,
        /// Where to.
        target: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Engine {
    /// Copies `path` of an image, with owners, modes, times and attributes, into `destination` if that is a folder, else
    /// under that name. A link at the end of `path` is copied, not followed.
    ///
    /// # Errors
    /// [`CopyError`].
    pub fn copy_from_image(&self, image: &Image, path: &str, destination: &Path) -> Result<(), CopyError> {
        let clean = clean(path);
        let name = clean.file_name().map(|name| name.to_owned());
        let target = match &name {
            Some(name) if destination.is_dir() => destination.join(name),
            _ => destination.to_owned(),
        };
        if target.is_dir() {
            return Err(CopyError::Exists(target));
        }
        copy(self.files_of_image(image)?, &clean, &target).map_err(|source| match source.raw_os_error() {
            Some(libc::ENOENT | libc::ENOTDIR) if target.parent().is_none_or(Path::exists) => {
                CopyError::NotFound { image: image.name(), path: path.to_owned() }
            }
            _ => CopyError::Copy { image: image.name(), path: path.to_owned(), target: target.clone(), source },
        })
    }
}

/// Cleans a path as docker does, by its words alone: `..` takes the last one away, and stops at the root.
fn clean(path: &str) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in Path::new(path).components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => _ = clean.pop(),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    clean
}

fn copy(root: OwnedFd, path: &Path, target: &Path) -> io::Result<()> {
    let (parent, name) = (path.parent().unwrap_or(Path::new("")), path.file_name());
    let here = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    let inside = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let parent = openat2(&root, here, OpenHow::new().flags(flags).resolve(inside))?;
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let staging = folder.join(format!(".copy-{}", crate::random_name()));
    fs::create_dir(&staging)?;
    let copied = copy_into(parent, name, &staging, target);
    let removed = crate::remove_tree::remove_tree(&staging);
    copied.and(removed)
}

fn copy_into(parent: OwnedFd, name: Option<&std::ffi::OsStr>, staging: &Path, target: &Path) -> io::Result<()> {
    let place = File::open(staging)?;
    let copy = match name {
        Some(name) => {
            copy_up::copy_named(parent.as_fd(), place.as_fd(), name)?;
            staging.join(name)
        }
        None => {
            let whole = staging.join("root");
            fs::create_dir(&whole)?;
            copy_up::copy_whole(parent.as_fd(), File::open(&whole)?.as_fd())?;
            whole
        }
    };
    // A folder never takes the place of another; a file replaces a file.
    match crate::sys::rename_to_nothing(&copy, target) {
        Err(error) if matches!(error.raw_os_error(), Some(libc::EEXIST | libc::EINVAL)) => fs::rename(&copy, target),
        result => result,
    }
}
