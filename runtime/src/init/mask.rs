//! Hiding paths, and making paths read-only.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{SFlag, fstat, makedev};

use super::beneath::RootDirectory;
use super::error::{Act, InitError};
use super::place::{self, Place};
use crate::plan::{MountOptions, mount_options};
use crate::sys::mount::Attributes;
use crate::trace::{self, Effect};

/// Hides paths: a file reads as empty, a directory has no entries. What is not there needs no hiding.
pub(super) fn hide(root: &RootDirectory, paths: &[PathBuf]) -> Result<(), InitError> {
    let (mut null, mut empty) = (None, None);
    for path in paths {
        let Some(target) = open_existing(root, path)? else { continue };
        let place = Place { root, path, target };
        if is_directory(&place)? {
            // One empty file system for all: making another costs more than all the rest of it.
            match &empty {
                Some(empty) => place.mount_again(("tmpfs", "tmpfs"), &empty_options(), OwnedFd::as_fd(empty))?,
                None => {
                    hide_directory(&place)?;
                    empty = Some(root.open_path(path, OFlag::O_PATH).act_on("open", path)?);
                }
            }
        } else {
            let null = match &null {
                Some(null) => null,
                None => null.insert(open_null(root)?),
            };
            // Read-only, so that nobody changes the mode of the node through the mask.
            let attributes = Attributes { set: mount_options::RDONLY, ..Attributes::default() };
            place.bind(null.as_fd(), false, attributes, Attributes::default())?;
        }
    }
    Ok(())
}

/// Makes paths read-only, with all that is mounted below them.
pub(super) fn freeze(root: &RootDirectory, paths: &[PathBuf]) -> Result<(), InitError> {
    let attributes = Attributes { set: mount_options::RDONLY, ..Attributes::default() };
    for path in paths {
        if let Some(target) = open_existing(root, path)? {
            let place = Place { root, path, target };
            let below = place.target.try_clone().act_on("open", path)?;
            place.bind(below.as_fd(), true, attributes, Attributes::default())?;
        }
    }
    Ok(())
}

/// Makes the root filesystem read-only; mounts below it keep their own options.
pub(super) fn freeze_root(root: &RootDirectory) -> Result<(), InitError> {
    let attributes = Attributes { set: mount_options::RDONLY, ..Attributes::default() };
    let effect = || Effect::remount(Path::new("/"), attributes);
    trace::step(effect, || place::change(root.as_fd(), false, attributes)).act("make the root filesystem read-only")
}

fn open_existing(root: &RootDirectory, path: &Path) -> Result<Option<OwnedFd>, InitError> {
    match root.open_path(path, OFlag::O_PATH) {
        Ok(target) => Ok(Some(target)),
        Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(None),
        Err(errno) => Err(errno).act_on("open", path),
    }
}

fn is_directory(place: &Place<'_>) -> Result<bool, InitError> {
    let mode = fstat(&place.target).act_on("look at", place.path)?.st_mode;
    Ok(SFlag::from_bits_truncate(mode) & SFlag::S_IFMT == SFlag::S_IFDIR)
}

/// Covers a directory with an empty, read-only file system.
fn hide_directory(place: &Place<'_>) -> Result<(), InitError> {
    place.mount_filesystem("tmpfs", "tmpfs", &empty_options())
}

fn empty_options() -> MountOptions {
    MountOptions {
        attributes: Attributes { set: mount_options::RDONLY, ..Attributes::default() },
        data: vec![("nr_inodes".to_owned(), Some("1".to_owned())), ("mode".to_owned(), Some("755".to_owned()))],
        ..MountOptions::default()
    }
}

/// Opens the container's `/dev/null` and makes certain it is that device: an image or a volume could have
/// put something else there, and what is bound over masked paths must be empty.
fn open_null(root: &RootDirectory) -> Result<OwnedFd, InitError> {
    let path = Path::new("/dev/null");
    let null = root.open_without_links(path, OFlag::O_PATH | OFlag::O_NOFOLLOW).act_on("open", path)?;
    let stat = fstat(&null).act_on("look at", path)?;
    let is_character = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFCHR;
    if is_character && stat.st_rdev == makedev(1, 3) {
        return Ok(null);
    }
    Err(InitError::refused("hide paths: `/dev/null` of the container is not the null device"))
}
