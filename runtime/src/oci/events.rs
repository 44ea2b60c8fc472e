//! `events`: figures of a container, and when the kernel killed for want of memory.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::container::{Container, Status};
use super::{OciError, Root};
use crate::cgroup::{DetailedStats, OomWatch};

/// Something about a container that is worth a line.
#[derive(Debug)]
pub enum Event {
    /// It is time for its figures again.
    Stats(Box<DetailedStats>),
    /// The kernel killed a process of it for want of memory.
    Oom,
}

/// The events of one container until it stops.
#[derive(Debug)]
pub struct EventStream {
    container: Container,
    init: std::os::fd::OwnedFd,
    /// `None` where nobody accounts for memory.
    watch: Option<OomWatch>,
    kills: u64,
    interval: Duration,
    next: Instant,
}

impl Root {
    /// Returns the figures of a container.
    ///
    /// # Errors
    /// [`OciError::Status`] when it is stopped.
    pub fn stats(&self, id: &str) -> Result<DetailedStats, OciError> {
        let container = self.open(id)?;
        container.require("measure", &[Status::Created, Status::Running, Status::Paused])?;
        Ok(container.cgroup().detailed_stats()?)
    }

    /// Watches a container, whose figures are due every `interval`, at first at once.
    ///
    /// # Errors
    /// [`OciError::Status`] when it is stopped.
    pub fn events(&self, id: &str, interval: Duration) -> Result<EventStream, OciError> {
        let container = self.open(id)?;
        container.require("watch", &[Status::Created, Status::Running, Status::Paused])?;
        let stopped = || OciError::Status { act: "watch", id: id.to_owned(), status: Status::Stopped };
        let init = container.open_init()?.ok_or_else(stopped)?;
        let watch = container.cgroup().watch_oom().ok();
        let kills = container.cgroup().oom_kills().unwrap_or(0);
        Ok(EventStream { container, init, watch, kills, interval, next: Instant::now() })
    }
}

impl EventStream {
    /// Waits for the next event; `None` once the container has stopped.
    ///
    /// # Errors
    /// [`OciError::Cgroup`] when the figures cannot be read.
    pub fn next(&mut self) -> Result<Option<Event>, OciError> {
        loop {
            if self.take_kill() {
                return Ok(Some(Event::Oom));
            }
            let left = self.next.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.next = Instant::now() + self.interval;
                return match self.container.cgroup().detailed_stats() {
                    Ok(stats) => Ok(Some(Event::Stats(Box::new(stats)))),
                    Err(_) if self.container.status() == Status::Stopped => Ok(None),
                    Err(error) => Err(error.into()),
                };
            }
            if self.wait(left)? {
                return Ok(self.take_kill().then_some(Event::Oom));
            }
        }
    }

    /// Waits for a kill, the end (`true`) or so long.
    fn wait(&self, left: Duration) -> Result<bool, OciError> {
        let mut fds = vec![PollFd::new(self.init.as_fd(), PollFlags::POLLIN)];
        fds.extend(self.watch.as_ref().map(|watch| PollFd::new(watch.as_fd(), PollFlags::POLLIN)));
        let timeout = PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(OciError::file("wait for", &self.container.directory)(errno.into())),
        }
        if let Some(watch) = &self.watch {
            watch.clear();
        }
        Ok(fds[0].any().unwrap_or(false))
    }

    fn take_kill(&mut self) -> bool {
        let kills = self.container.cgroup().oom_kills().unwrap_or(self.kills);
        let killed = kills > self.kills;
        self.kills += u64::from(killed);
        killed
    }
}
