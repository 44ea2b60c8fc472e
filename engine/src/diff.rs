//! `diff`: what a container has changed in its image's files. Runs in the command.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use lighter_images::derive::{self, DeriveError};
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};

use crate::commit::CommitError;
use crate::{Container, Engine};

/// What was done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// The image does not have it.
    Added,
    /// It, or something in it, is not as in the image.
    Changed,
    /// The container does not have it any more.
    Deleted,
}

/// One file that is not as in the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What was done.
    pub kind: ChangeKind,
    /// Where, from the container's root.
    pub path: PathBuf,
}

impl Engine {
    /// Lists what a container, which may run, has changed, a folder before what is in it.
    ///
    /// # Errors
    /// Its files or its image's cannot be read.
    pub fn diff(&self, container: &Container) -> Result<Vec<Change>, CommitError> {
        let base = self.base_of(container)?;
        let placeholders = crate::commit::placeholders();
        let failed = |source: DeriveError| CommitError::derive(container, source);
        let upper = self.upper_of(container, &placeholders)?;
        let names = derive::changes(&self.images, &base, upper).map_err(failed)?;
        let image = self.files_of_image(&base)?;
        let change = |(path, is_deleted): (PathBuf, bool)| {
            let kind = match (is_deleted, is_there(&image, &path)) {
                (true, _) => ChangeKind::Deleted,
                (false, true) => ChangeKind::Changed,
                (false, false) => ChangeKind::Added,
            };
            Change { kind, path: Path::new("/").join(path) }
        };
        let changes: Vec<_> = names.into_iter().map(change).collect();
        let mounts: Vec<_> = placeholders.iter().map(|path| Path::new("/").join(OsStr::from_bytes(path))).collect();
        Ok(changes.iter().filter(|change| !has_mount_points_only(change, &changes, &mounts)).cloned().collect())
    }
}

/// Returns whether nothing has happened to a folder but that places were made in it on which every container has something
/// mounted.
fn has_mount_points_only(change: &Change, all: &[Change], mounts: &[PathBuf]) -> bool {
    let is_parent = || mounts.iter().any(|mount| mount.parent() == Some(&change.path));
    let has_more = || all.iter().any(|other| other != change && other.path.starts_with(&change.path));
    change.kind == ChangeKind::Changed && is_parent() && !has_more()
}

/// Returns whether something of that name is below `root`; links in it lead nowhere.
fn is_there(root: &OwnedFd, path: &Path) -> bool {
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS);
    openat2(root.as_fd(), path, how).is_ok()
}
