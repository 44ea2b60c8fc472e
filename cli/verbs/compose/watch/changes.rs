//! Changes of files below some folders, in batches: inotify(7).

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};

/// A batch ends when nothing has changed for this long, in milliseconds: saving all files of an editor is one change.
const QUIET: u8 = 100;

/// What is watched.
pub(super) struct Changes {
    inotify: Inotify,
    folders: HashMap<WatchDescriptor, PathBuf>,
    /// Files that are watched by their folders.
    roots: Vec<PathBuf>,
}

impl Changes {
    /// Begins to watch files and folders with all below them.
    pub(super) fn new<'a>(paths: impl Iterator<Item = &'a Path>) -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        let mut changes = Self { inotify, folders: HashMap::new(), roots: paths.map(Path::to_owned).collect() };
        for root in changes.roots.clone() {
            match root.is_dir() {
                true => changes.add_tree(&root, &mut BTreeSet::new())?,
                false => changes.add(root.parent().unwrap_or(Path::new("/")))?,
            }
        }
        Ok(changes)
    }

    fn add(&mut self, folder: &Path) -> io::Result<()> {
        let flags = AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_ATTRIB
            | AddWatchFlags::IN_ONLYDIR;
        match self.inotify.add_watch(folder, flags) {
            Ok(descriptor) => {
                self.folders.insert(descriptor, folder.to_owned());
                Ok(())
            }
            Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(()), // gone already
            Err(Errno::ENOSPC) => {
                let text = "more folders than /proc/sys/fs/inotify/max_user_watches allows";
                Err(io::Error::other(format!("watch `{}`: {text}", folder.display())))
            }
            Err(errno) => Err(errno.into()),
        }
    }

    /// Watches a folder and those below; what is in a new one has changed as well.
    fn add_tree(&mut self, folder: &Path, changed: &mut BTreeSet<PathBuf>) -> io::Result<()> {
        self.add(folder)?;
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => self.add_tree(&path, changed)?,
                _ => _ = changed.insert(path),
            }
        }
        Ok(())
    }

    /// Waits for changes and returns the paths of a batch; `None` once the other end of `stop` is closed.
    pub(super) fn next(&mut self, stop: Option<BorrowedFd<'_>>) -> io::Result<Option<BTreeSet<PathBuf>>> {
        let mut changed = BTreeSet::new();
        loop {
            let timeout = if changed.is_empty() { PollTimeout::NONE } else { PollTimeout::from(QUIET) };
            let mut fds = vec![PollFd::new(self.inotify.as_fd(), PollFlags::POLLIN)];
            fds.extend(stop.map(|stop| PollFd::new(stop, PollFlags::POLLIN)));
            match nix::poll::poll(&mut fds, timeout) {
                Ok(0) => return Ok(Some(in_folders(changed))),
                Ok(_) if fds.get(1).is_some_and(|stop| stop.any() == Some(true)) => return Ok(None),
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
            match self.inotify.read_events() {
                Ok(events) => events.into_iter().try_for_each(|event| self.take(event, &mut changed))?,
                Err(Errno::EAGAIN) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    fn take(&mut self, event: InotifyEvent, changed: &mut BTreeSet<PathBuf>) -> io::Result<()> {
        if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
            changed.extend(self.roots.iter().cloned()); // something was missed: all of it may have changed
            return Ok(());
        }
        let Some(folder) = self.folders.get(&event.wd) else { return Ok(()) };
        let Some(name) = event.name else { return Ok(()) };
        let path = folder.join(name);
        if event.mask.contains(AddWatchFlags::IN_ISDIR) {
            if event.mask.intersects(AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO) {
                return self.add_tree(&path, changed);
            }
            if event.mask.contains(AddWatchFlags::IN_ATTRIB) {
                return Ok(());
            }
        } else if event.mask.contains(AddWatchFlags::IN_CREATE) && !path.is_symlink() {
            return Ok(()); // it is written next
        }
        changed.insert(path);
        Ok(())
    }
}

/// Puts in the place of each folder what is in it: one that has gone and come back has changed as a whole.
fn in_folders(changed: BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
    let (links, others): (BTreeSet<_>, BTreeSet<_>) = changed.into_iter().partition(|path| path.is_symlink());
    others.iter().flat_map(|path| files(path)).chain(links).collect()
}

/// Returns the files in a folder and below it, so that each can be meant or not; of what is no folder, itself.
///
/// Links in it stay what they are: they may lead anywhere.
pub(super) fn files(path: &Path) -> BTreeSet<PathBuf> {
    if !path.is_dir() {
        return BTreeSet::from([path.to_owned()]);
    }
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let all = entries.flat_map(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => files(&entry.path()),
        _ => BTreeSet::from([entry.path()]),
    });
    all.collect()
}
