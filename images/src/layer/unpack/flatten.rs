//! Copies stacked layers into one directory, for where overlayfs cannot stack them.
//!
//! Runs in the monitor. Before: an empty directory of ours. After: what overlayfs would show of the layers, with owners,
//! modes, times, attributes and hard links. Where the file system can share blocks the copies do (copy_file_range(2)).

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;

use nix::fcntl::AtFlags;
use nix::sys::stat::{FileStat, SFlag};
use nix::unistd::linkat;

use super::attributes::set_times;
use super::below::{Below, BelowError, Found};
use super::times::Times;
use super::tree::{Tree, kind};
use super::walk::{Level, copy_up, enter_child, make_directory};

/// What was copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    /// Files of any kind but directories, each name of a file counted.
    pub files: u64,
    /// Bytes of regular files, holes included.
    pub bytes: u64,
}

/// Copies all that `layers`, topmost first, show together into the directory `target`.
pub(crate) fn flatten(layers: Vec<OwnedFd>, target: OwnedFd) -> io::Result<Copied> {
    let tree = Tree::new(target);
    let mut copying = Copying { tree: &tree, names: HashMap::new(), made: Times::default(), copied: Copied::default() };
    match copying.directory(&Level { here: tree.root()?, below: Below::Layers(layers) }) {
        Err(BelowError::Io(error)) => return Err(error),
        Err(error @ BelowError::Needed) => return Err(io::Error::other(error)),
        Ok(()) => {}
    }
    // Only now, as whatever is made in a directory changes its time.
    for (path, mtime) in copying.made.all() {
        set_times(tree.directory_itself(path)?, *mtime)?;
    }
    Ok(copying.copied)
}

struct Copying<'a> {
    tree: &'a Tree,
    /// By device and inode: the directory and name of the copy of a file that has several names.
    names: HashMap<(u64, u64), (Vec<u8>, Vec<u8>)>,
    made: Times,
    copied: Copied,
}

impl Copying<'_> {
    fn directory(&mut self, level: &Level) -> Result<(), BelowError> {
        for name in level.below.names()? {
            match level.below.find(&name)? {
                Some(Found::Directory(stat, below)) => {
                    make_directory(level, &name, Some(&stat), &mut self.made)?;
                    self.directory(&enter_child(level, &name, below)?)?;
                }
                Some(Found::File(stat)) => self.file(level, &name, &stat)?,
                None => {}
            }
        }
        Ok(())
    }

    fn file(&mut self, level: &Level, name: &[u8], stat: &FileStat) -> Result<(), BelowError> {
        self.copied.files += 1;
        if stat.st_nlink > 1 {
            let key = (stat.st_dev, stat.st_ino);
            if let Some((directory, first)) = self.names.get(&key) {
                let directory = self.tree.directory_itself(directory)?;
                return Ok(linkat(&directory, first.as_slice(), &level.here, name, AtFlags::empty())?);
            }
            self.names.insert(key, (level.here.path.clone(), name.to_vec()));
        }
        if kind(stat) == SFlag::S_IFREG {
            self.copied.bytes += stat.st_size.unsigned_abs();
        }
        copy_up(level, name)
    }
}
