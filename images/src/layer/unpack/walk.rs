//! Makes the directories that an archive takes for granted, as the layers below have them.
//!
//! Runs in the shell command's process, in a layer's extracting thread. Used only where the kernel's own resolution found
//! nothing; a path is walked one component at a time in this layer and in those below together. What is in this layer
//! wins; a directory found only below is made here with the same owner, mode and times, so that it does not change when
//! the layers are stacked.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, mkdirat};
use nix::unistd::{UnlinkatFlags, symlinkat, unlinkat};

use super::super::tar::Timestamp;
use super::attributes::{Attributes, restorable_xattrs};
use super::below::{Below, BelowError, Found};
use super::times::Times;
use super::tree::{Directory, Tree, is_opaque, is_whiteout, kind, make_opaque, open_directory, status};

/// Most symbolic links followed in one path, as the kernel allows (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// Mode of a directory that no layer describes, as Docker and containerd make it.
const IMPLIED_MODE: u32 = 0o755;

/// One step of the walk: the directory here, and what the layers below have there.
pub(super) struct Level {
    pub(super) here: Directory,
    pub(super) below: Below,
}

/// Walks to the directory at a clean path, making what is missing here; `below` is the root of the layers below.
pub(super) fn walk(tree: &Tree, below: Below, path: &[u8], made: &mut Times) -> Result<Level, BelowError> {
    let mut levels = vec![Level { here: tree.root()?, below }];
    let mut todo: VecDeque<Vec<u8>> = components(path).collect();
    let mut links = 0;
    while let Some(name) = todo.pop_front() {
        if name == b".." {
            levels.truncate(levels.len().saturating_sub(1).max(1));
            continue;
        }
        match step(&levels[levels.len() - 1], &name, made)? {
            Step::Into(level) => levels.push(level),
            Step::Follow(target) => {
                links += 1;
                if links > MOST_LINKS {
                    return Err(Errno::ELOOP.into());
                }
                if target.starts_with(b"/") {
                    levels.truncate(1);
                }
                components(&target).rev().for_each(|component| todo.push_front(component));
            }
        }
    }
    levels.pop().ok_or(BelowError::Io(io::ErrorKind::NotFound.into()))
}

enum Step {
    Into(Level),
    Follow(Vec<u8>),
}

fn components(path: &[u8]) -> impl DoubleEndedIterator<Item = Vec<u8>> {
    path.split(|byte| *byte == b'/').filter(|name| !matches!(*name, b"" | b".")).map(<[u8]>::to_vec)
}

fn step(level: &Level, name: &[u8], made: &mut Times) -> Result<Step, BelowError> {
    let parent = level.here.as_fd();
    match status(parent, name)? {
        Some(stat) if is_whiteout(&stat) => {
            // Removed by this very layer, and now wanted as a directory: a new one, hiding the old one's content.
            unlinkat(parent, name, UnlinkatFlags::NoRemoveDir)?;
            make_directory(level, name, None, made)?;
            make_opaque(parent, name)?;
            enter(level, name, Below::Nothing)
        }
        Some(stat) if kind(&stat) == SFlag::S_IFDIR => {
            let below = if is_opaque(parent, name)? { Below::Nothing } else { child(&level.below, name)? };
            enter(level, name, below)
        }
        Some(stat) if kind(&stat) == SFlag::S_IFLNK => follow(parent, name),
        Some(_) => Err(Errno::ENOTDIR.into()),
        None => step_below(level, name, made),
    }
}

/// The directory `name` exists here; finds what lies under it without insisting on it.
fn child(below: &Below, name: &[u8]) -> Result<Below, BelowError> {
    match below {
        Below::Unknown => Ok(Below::Unknown),
        _ => match below.find(name)? {
            Some(Found::Directory(_, below)) => Ok(below),
            _ => Ok(Below::Nothing),
        },
    }
}

fn step_below(level: &Level, name: &[u8], made: &mut Times) -> Result<Step, BelowError> {
    match level.below.find(name)? {
        Some(Found::Directory(stat, below)) => {
            make_directory(level, name, Some(&stat), made)?;
            enter(level, name, below)
        }
        Some(Found::File(stat)) if kind(&stat) == SFlag::S_IFLNK => match level.below.holder(name)? {
            Some(holder) => follow(holder.as_fd(), name),
            None => Err(Errno::ENOENT.into()),
        },
        Some(Found::File(_)) => Err(Errno::ENOTDIR.into()),
        None => {
            make_directory(level, name, None, made)?;
            enter(level, name, Below::Nothing)
        }
    }
}

fn follow(parent: BorrowedFd<'_>, name: &[u8]) -> Result<Step, BelowError> {
    Ok(Step::Follow(readlinkat(parent, name)?.as_bytes().to_vec()))
}

fn enter(level: &Level, name: &[u8], below: Below) -> Result<Step, BelowError> {
    Ok(Step::Into(enter_child(level, name, below)?))
}

/// Opens the directory `name` that is here, with what lies under it.
pub(super) fn enter_child(level: &Level, name: &[u8], below: Below) -> Result<Level, BelowError> {
    let fd = open_directory(&level.here, name, OFlag::O_PATH)?;
    Ok(Level { here: Directory { fd, path: level.here.path_of(name) }, below })
}

/// Makes the directory `name`, like the one below if there is one.
pub(super) fn make_directory(
    level: &Level,
    name: &[u8],
    like: Option<&FileStat>,
    made: &mut Times,
) -> Result<(), BelowError> {
    let xattrs = match (like, &level.below) {
        (Some(_), below) => match below.holder(name)? {
            Some(holder) => restorable_xattrs(holder.as_fd(), name)?,
            None => Vec::new(),
        },
        (None, _) => Vec::new(),
    };
    let new = Attributes { uid: 0, gid: 0, mode: IMPLIED_MODE, mtime: Timestamp::default(), xattrs: &[] };
    let attributes = like.map_or(new, |stat| Attributes::of_file(stat, &xattrs));
    mkdirat(&level.here, name, Mode::S_IRWXU)?;
    attributes.apply_but_times(open_directory(&level.here, name, OFlag::O_RDONLY)?.as_fd())?;
    Ok(made.set(level.here.path_of(name), attributes.mtime)?)
}

/// Copies the file `name`, which only layers below have, into this layer, so that it can get another name here.
pub(super) fn copy_up(level: &Level, name: &[u8]) -> Result<(), BelowError> {
    let (stat, holder) = match (level.below.find(name)?, level.below.holder(name)?) {
        (Some(Found::File(stat)), Some(holder)) => (stat, holder.as_fd()),
        (Some(Found::Directory(..)), _) => return Err(Errno::EISDIR.into()),
        _ => return Err(Errno::ENOENT.into()),
    };
    let xattrs = restorable_xattrs(holder, name)?;
    let attributes = Attributes::of_file(&stat, &xattrs);
    match kind(&stat) {
        SFlag::S_IFREG => copy_file(holder, &level.here, name, &attributes)?,
        SFlag::S_IFLNK => {
            symlinkat(readlinkat(holder, name)?.as_os_str(), &level.here, name)?;
            attributes.apply_at(level.here.as_fd(), name, true)?;
        }
        other => {
            nix::sys::stat::mknodat(&level.here, name, other, Mode::S_IRUSR, stat.st_rdev)?;
            attributes.apply_at(level.here.as_fd(), name, false)?;
        }
    }
    Ok(())
}

fn copy_file(from: BorrowedFd<'_>, to: &Directory, name: &[u8], attributes: &Attributes<'_>) -> io::Result<()> {
    let how = OpenHow::new().flags(OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC);
    let source: OwnedFd = openat2(from, name, how.resolve(ResolveFlag::RESOLVE_NO_SYMLINKS))?;
    let target = super::place::create(to, name)?;
    io::copy(&mut std::fs::File::from(source), &mut &target)?;
    attributes.apply_to_file(target.as_fd())
}
