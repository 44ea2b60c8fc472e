//! Waiting for a change on disk instead of asking again and again: inotify(7). Runs in the command.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use crate::control::poll_timeout;
use crate::{Container, Engine};

/// Directories under observation.
pub struct Watch {
    inotify: Inotify,
}

impl Watch {
    /// Starts to watch; a directory that does not exist is passed over.
    pub fn new(directories: &[&Path]) -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        let flags = AddWatchFlags::IN_MODIFY
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE_SELF
            | AddWatchFlags::IN_DELETE;
        for directory in directories {
            match inotify.add_watch(*directory, flags) {
                Ok(_) | Err(Errno::ENOENT) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(Self { inotify })
    }

    /// Waits for a change, at most for `limit`; returns whether there was one.
    pub fn wait(&mut self, limit: Option<Duration>) -> io::Result<bool> {
        let timeout = limit.map_or(PollTimeout::NONE, poll_timeout);
        let mut fds = [PollFd::new(self.inotify.as_fd(), PollFlags::POLLIN)];
        match nix::poll::poll(&mut fds, timeout) {
            Ok(0) | Err(Errno::EINTR) => return Ok(false),
            Ok(_) => {}
            Err(errno) => return Err(errno.into()),
        }
        loop {
            match self.inotify.read_events() {
                Ok(_) => {}
                Err(Errno::EAGAIN) => return Ok(true),
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

impl Engine {
    /// Watches for everything that can change the state or the health of a container.
    pub fn watch(&self, container: &Container) -> io::Result<Watch> {
        Watch::new(&[container.paths().dir(), container.paths().run()])
    }
}
