//! When the kernel kills for want of memory.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use super::error::{read, write};
use super::{Cgroup, CgroupError};

/// A descriptor that becomes readable when a cgroup ran out of memory.
///
/// Wait for it with poll(2), call [`clear`](Self::clear), then ask [`Cgroup::oom_kills`]: other events
/// of the memory controller wake it as well, and so does the end of the cgroup.
#[derive(Debug)]
pub struct OomWatch {
    descriptor: OwnedFd,
    /// Version 1 keeps the notification as long as this file is open.
    _control: Option<File>,
}

impl AsFd for OomWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl OomWatch {
    /// Takes what woke the waiter, so that the descriptor is not readable until the next event.
    pub fn clear(&self) {
        let mut buffer = [0u8; 4096];
        // Non-blocking: nothing to read is no error here.
        while nix::unistd::read(&self.descriptor, &mut buffer).is_ok_and(|length| length == buffer.len()) {}
    }
}

impl Cgroup {
    /// Returns how many processes of this cgroup the kernel has killed for want of memory.
    ///
    /// Version 1: `oom_kill` in `memory.oom_control`; version 2: in `memory.events`, cgroups below included.
    ///
    /// # Errors
    /// [`CgroupError::Unavailable`] when memory is not accounted here, [`CgroupError::File`] else.
    pub fn oom_kills(&self) -> Result<u64, CgroupError> {
        let file = match self.v1("memory") {
            Some(directory) => directory.join("memory.oom_control"),
            None => self.memory_events()?,
        };
        Ok(keyed_value(&read(&file)?, "oom_kill").unwrap_or(0))
    }

    /// Starts watching for the kernel running out of memory in this cgroup.
    ///
    /// # Errors
    /// [`CgroupError::Unavailable`] when memory is not accounted here, [`CgroupError::File`] else.
    pub fn watch_oom(&self) -> Result<OomWatch, CgroupError> {
        match self.v1("memory") {
            Some(directory) => watch_v1(&directory),
            None => watch_v2(&self.memory_events()?),
        }
    }

    fn memory_events(&self) -> Result<std::path::PathBuf, CgroupError> {
        let file = self.unified().map(|directory| directory.join("memory.events"));
        file.filter(|file| file.exists()).ok_or_else(|| CgroupError::Unavailable {
            what: "watch memory",
            why: format!("no memory controller accounts for cgroup `{}`", self.path()),
        })
    }
}

/// `cgroup.event_control` takes "<eventfd> <file>" (cgroup-v1/memory.rst, "OOM Control").
fn watch_v1(directory: &std::path::Path) -> Result<OomWatch, CgroupError> {
    let path = directory.join("memory.oom_control");
    let failed = |error: nix::Error| CgroupError::file("watch", &path, error.into());
    let event = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK).map_err(failed)?;
    let control = File::open(&path).map_err(|error| CgroupError::file("open", &path, error))?;
    let registration = format!("{} {}", event.as_fd().as_raw_fd(), control.as_raw_fd());
    write(&directory.join("cgroup.event_control"), &registration)?;
    Ok(OomWatch { descriptor: event.into(), _control: Some(control) })
}

/// `memory.events` of version 2 tells of changes by inotify (cgroup-v2.rst, "memory.events").
fn watch_v2(file: &std::path::Path) -> Result<OomWatch, CgroupError> {
    let failed = |error: nix::Error| CgroupError::file("watch", file, error.into());
    let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).map_err(failed)?;
    inotify.add_watch(file, AddWatchFlags::IN_MODIFY).map_err(failed)?;
    Ok(OomWatch { descriptor: inotify.into(), _control: None })
}

/// Returns the number after `key` in a file of `key number` lines.
pub(super) fn keyed_value(text: &str, key: &str) -> Option<u64> {
    let mut pairs = text.lines().filter_map(|line| line.split_once(' '));
    pairs.find(|(name, _)| *name == key).and_then(|(_, value)| value.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_is_found_by_its_whole_name() {
        assert_eq!(keyed_value("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", "oom_kill"), Some(3));
        assert_eq!(keyed_value("low 0\nhigh 0\nmax 5\noom 1\noom_kill 1\noom_group_kill 0\n", "oom_kill"), Some(1));
        assert_eq!(keyed_value("low 0\n", "oom_kill"), None);
    }
}
