//! Unpacks an archive into a directory that overlayfs can stack.
//!
//! Runs in the shell command's process, in a layer's extracting thread. Before: an empty directory of ours, 0700 above.
//! After: the layer's files as the archive has them, whiteouts in overlayfs's form; or an error, and the caller removes
//! the directory. No name in the archive reaches anything outside it.
//!
//! ```text
//! name ─ clean, classify ─▶ parent directory (kernel, in root; else walk, with the layers below) ─▶ place ─▶ attributes
//! ```

mod attributes;
mod below;
mod flatten;
mod path;
mod place;
mod times;
mod tree;
mod walk;

pub(crate) use attributes::{Attributes, Xattrs, restorable_of_file, restorable_xattrs};
pub(crate) use below::{Below, BelowError, Found};
pub use flatten::Copied;
pub(crate) use flatten::flatten;
pub(crate) use path::clean;
pub(crate) use tree::{is_opaque, is_whiteout, kind, open_directory, status};

use std::io::{self, BufRead};
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{Mode, SFlag, mkdirat};
use nix::unistd::linkat;

use self::attributes::set_times;
use self::path::Target;
use self::place::WriteError;
use self::times::Times;
use self::tree::{Directory, Tree, make_opaque};
use self::walk::{Level, copy_up, walk};
use super::tar::{Device, Entry, Kind, Reader, TarError, Timestamp};

/// Mode of a layer's root if its archive does not say, as every base image has it.
const ROOT_MODE: u32 = 0o755;

/// What was unpacked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Unpacked {
    /// Entries read.
    pub(crate) entries: u64,
    /// Bytes of regular files, holes not counted.
    pub(crate) bytes: u64,
    /// Whether the result is right at the bottom only: it dropped whiteouts, or made directories up, because there
    /// was nothing below.
    pub(crate) is_for_bottom: bool,
    /// Whether the archive says what owner, mode and times its root has.
    pub(crate) describes_root: bool,
}

/// Why an archive could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnpackError {
    /// The archive cannot be read on.
    #[error(transparent)]
    Archive(#[from] TarError),
    /// An entry cannot be made.
    #[error("{act} `{path}`")]
    Entry {
        /// What was tried.
        act: &'static str,
        /// The entry's name.
        path: String,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// An entry asks for something that no layer may have.
    #[error("entry `{path}` is refused: {why}")]
    Refused {
        /// The entry's name.
        path: String,
        /// Why.
        why: &'static str,
    },
    /// The layer cannot stand alone.
    #[error("entry `{path}` needs the layers below")]
    NeedsBelow {
        /// The first entry that does.
        path: String,
    },
}

/// Unpacks everything `archive` holds into `root`; `below` returns the root of the layers below, as often as asked.
pub(crate) fn unpack<R: BufRead>(
    archive: &mut Reader<R>,
    root: OwnedFd,
    below: &dyn Fn() -> io::Result<Below>,
) -> Result<Unpacked, UnpackError> {
    let mut extractor =
        Extractor { tree: Tree::new(root), below, times: Times::default(), unpacked: Unpacked::default() };
    extractor.prepare_root()?;
    while let Some(entry) = archive.next()? {
        extractor.unpacked.entries += 1;
        extractor.extract(&entry, archive)?;
    }
    extractor.finish()
}

struct Extractor<'a> {
    tree: Tree,
    below: &'a dyn Fn() -> io::Result<Below>,
    /// Directories and the times they get at the end.
    times: Times,
    unpacked: Unpacked,
}

impl Extractor<'_> {
    /// Gives the root the attributes it has unless the archive describes it.
    fn prepare_root(&mut self) -> Result<(), UnpackError> {
        let (mode, mtime) = (ROOT_MODE, Timestamp::default());
        self.set_root(&Attributes { uid: 0, gid: 0, mode, mtime, xattrs: &[] })
            .map_err(|source| failed("set up", b".", source))
    }

    fn extract<R: BufRead>(&mut self, entry: &Entry, archive: &mut Reader<R>) -> Result<(), UnpackError> {
        let clean = path::clean(&entry.path);
        let refused = |why| UnpackError::Refused { path: shown(&entry.path), why };
        match path::classify(&clean).map_err(refused)? {
            Target::Leftover => Ok(()),
            Target::Root if entry.kind == Kind::Directory => {
                self.unpacked.describes_root = true;
                self.set_root(&Attributes::of(entry)).map_err(|source| failed("set up", b".", source))
            }
            Target::Root => Err(refused("the root of a layer is a directory")),
            Target::Whiteout { parent, name } => {
                self.whiteout(parent, name).map_err(|error| error.at("remove", &clean))
            }
            Target::Opaque { parent } => self.opaque(parent).map_err(|error| error.at("hide", parent)),
            Target::Plain { parent, name } => {
                if matches!(entry.kind, Kind::CharDevice(Device { major: 0, .. })) {
                    return Err(refused("a character device of major number 0 marks a removed file"));
                }
                let parent = self.parent(parent).map_err(|error| error.at("make the directory of", &clean))?;
                self.place(&parent, name, entry, archive).map_err(|error| error.at("unpack", &clean))
            }
        }
    }

    fn set_root(&mut self, attributes: &Attributes<'_>) -> io::Result<()> {
        attributes.apply_but_times(self.tree.directory_itself(b"")?.as_fd())?;
        self.times.set(Vec::new(), attributes.mtime)
    }

    /// Opens the directory an entry goes into, making it as the layers below have it if this one leaves it out.
    fn parent(&mut self, path: &[u8]) -> Result<Rc<Directory>, Failure> {
        match self.tree.directory(path) {
            // ENOTDIR: perhaps this layer's own whiteout, which the walk replaces.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) => {
                let level = self.walk(path)?;
                Ok(self.tree.keep(path, level.here))
            }
            result => Ok(result?),
        }
    }

    fn walk(&mut self, path: &[u8]) -> Result<Level, Failure> {
        let below = (self.below)()?;
        self.unpacked.is_for_bottom |= matches!(below, Below::Nothing);
        Ok(walk(&self.tree, below, path, &mut self.times)?)
    }

    fn place<R: BufRead>(
        &mut self,
        parent: &Directory,
        name: &[u8],
        entry: &Entry,
        archive: &mut Reader<R>,
    ) -> Result<(), Failure> {
        match entry.kind {
            Kind::Directory => self.directory(parent, name, entry),
            Kind::HardLink => self.hard_link(parent, name, entry),
            Kind::Regular => {
                let file = self.displacing(parent, name, || place::create(parent, name))?;
                place::write_content(&file, entry, archive)?;
                self.unpacked.bytes += entry.size;
                Ok(Attributes::of(entry).apply_to_file(file.as_fd())?)
            }
            _ => Ok(self.displacing(parent, name, || place::create_special(parent, name, entry))?),
        }
    }

    /// Calls `create`, and again after removing what already has the name: the last entry of a name counts.
    fn displacing<T>(&mut self, parent: &Directory, name: &[u8], create: impl Fn() -> io::Result<T>) -> io::Result<T> {
        match create() {
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {
                self.tree.displace(parent, name)?;
                create()
            }
            result => result,
        }
    }

    fn directory(&mut self, parent: &Directory, name: &[u8], entry: &Entry) -> Result<(), Failure> {
        match mkdirat(parent, name, Mode::S_IRWXU) {
            Err(Errno::EEXIST) => self.take_over(parent, name)?,
            result => result?,
        }
        let directory = open_directory(parent, name, OFlag::O_RDONLY)?;
        Attributes::of(entry).apply_but_times(directory.as_fd())?;
        Ok(self.times.set(parent.path_of(name), entry.mtime)?)
    }

    /// Something has the name of a new directory: a directory stays; anything else, a whiteout too, had removed the
    /// lower layers' directory of that name, so the new one must not show that one's content.
    fn take_over(&mut self, parent: &Directory, name: &[u8]) -> Result<(), Failure> {
        if status(parent, name)?.is_some_and(|stat| kind(&stat) == SFlag::S_IFDIR) {
            return Ok(());
        }
        self.tree.displace(parent, name)?;
        mkdirat(parent, name, Mode::S_IRWXU)?;
        Ok(make_opaque(parent.as_fd(), name)?)
    }

    /// Links without following: a link to a symbolic link is a second name of that link.
    fn hard_link(&mut self, parent: &Directory, name: &[u8], entry: &Entry) -> Result<(), Failure> {
        let target = path::clean(&entry.link);
        let (target_parent, target_name) = path::split(&target);
        if target_name.is_empty() || target == parent.path_of(name) {
            return Err(Errno::EINVAL.into());
        }
        let source = self.link_source(target_parent, target_name)?;
        let link = || linkat(&*source, target_name, parent, name, AtFlags::empty()).map_err(io::Error::from);
        Ok(self.displacing(parent, name, link)?)
    }

    /// Returns the directory that has the target of a hard link, copying the target up from below if need be.
    fn link_source(&mut self, parent: &[u8], name: &[u8]) -> Result<Rc<Directory>, Failure> {
        if let Ok(directory) = self.tree.directory(parent) {
            match status(&*directory, name)? {
                Some(stat) if is_whiteout(&stat) => return Err(Errno::ENOENT.into()),
                Some(_) => return Ok(directory),
                None => {}
            }
        }
        let level = self.walk(parent)?;
        copy_up(&level, name)?;
        Ok(self.tree.keep(parent, level.here))
    }

    /// Hides `name` of lower layers; what this layer itself has under that name stays (image-spec, "Whiteouts").
    fn whiteout(&mut self, parent: &[u8], name: &[u8]) -> Result<(), Failure> {
        let parent = self.parent(parent)?;
        if self.is_bottom()? {
            self.unpacked.is_for_bottom = true;
            return Ok(());
        }
        match status(&*parent, name)? {
            None => Ok(place::create_whiteout(&parent, name)?),
            Some(stat) if kind(&stat) == SFlag::S_IFDIR => Ok(make_opaque(parent.as_fd(), name)?),
            Some(_) => Ok(()),
        }
    }

    /// Hides everything that lower layers have in a directory, before or after this layer's own entries in it.
    fn opaque(&mut self, path: &[u8]) -> Result<(), Failure> {
        let directory = self.parent(path)?;
        match (self.below)()? {
            Below::Nothing => {
                self.unpacked.is_for_bottom = true;
                Ok(())
            }
            // overlayfs looks for the mark in directories only, not in the layers' roots.
            below if path.is_empty() => self.opaque_root(&directory, &below),
            _ => Ok(make_opaque(directory.as_fd(), b"")?),
        }
    }

    fn opaque_root(&mut self, root: &Directory, below: &Below) -> Result<(), Failure> {
        for name in below.names()? {
            let is_directory = matches!(below.find(&name)?, Some(Found::Directory(..)));
            match status(root, &name)? {
                None => place::create_whiteout(root, &name)?,
                Some(stat) if is_directory && kind(&stat) == SFlag::S_IFDIR => make_opaque(root.as_fd(), &name)?,
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn is_bottom(&self) -> io::Result<bool> {
        Ok(matches!((self.below)()?, Below::Nothing))
    }

    /// Sets the directories' times, now that nothing is made in them any more; the last word about a path counts.
    fn finish(self) -> Result<Unpacked, UnpackError> {
        for (path, mtime) in self.times.all() {
            match self.tree.directory_itself(path) {
                Ok(directory) => {
                    set_times(directory, *mtime).map_err(|source| failed("set the times of", path, source))?
                }
                // A later entry put something else there.
                Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR | libc::ELOOP)) => {}
                Err(source) => return Err(failed("set the times of", path, source)),
            }
        }
        Ok(self.unpacked)
    }
}

/// A failure before it is known which entry it belongs to.
#[derive(Debug)]
enum Failure {
    Archive(TarError),
    NeedsBelow,
    Io(io::Error),
}

impl Failure {
    fn at(self, act: &'static str, path: &[u8]) -> UnpackError {
        match self {
            Failure::Archive(error) => UnpackError::Archive(error),
            Failure::NeedsBelow => UnpackError::NeedsBelow { path: shown(path) },
            Failure::Io(source) => failed(act, path, source),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Io(error)
    }
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Failure {
        Failure::Io(errno.into())
    }
}

impl From<BelowError> for Failure {
    fn from(error: BelowError) -> Failure {
        match error {
            BelowError::Needed => Failure::NeedsBelow,
            BelowError::Io(error) => Failure::Io(error),
        }
    }
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Failure {
        match error {
            WriteError::Archive(error) => Failure::Archive(error),
            WriteError::File(error) => Failure::Io(error),
        }
    }
}

fn failed(act: &'static str, path: &[u8], source: io::Error) -> UnpackError {
    UnpackError::Entry { act, path: shown(path), source }
}

/// Shows a name from an archive without giving its control characters to anybody's terminal.
fn shown(path: &[u8]) -> String {
    path.escape_ascii().to_string()
}

#[cfg(test)]
mod tests;
