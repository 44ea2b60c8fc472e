//! Stopping, killing and waiting: signals from the command, teardown by the monitor.
//!
//! A wish ("stay stopped") is a file, not a message, so that it outlives every process.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use lighter_runtime::process as kernel;
use nix::poll::{PollFd, PollFlags, PollTimeout};

use crate::durable::{self, FileError};
use crate::events::Event;
use crate::layout::ContainerPaths;
use crate::spec::DEFAULT_STOP_GRACE;
use crate::state::{Process, State, Status};
use crate::{Container, Engine, signal};

/// Time the monitor has for tearing a container down after its last process has ended.
const TEARDOWN_LIMIT: Duration = Duration::from_secs(30);

/// Time in which a monitor has begun to tear down a container whose end it sees by itself.
const SEES_ITSELF: Duration = Duration::from_millis(500);

/// What the file that asks for a stop says when the container is removed next.
const REMOVED_NEXT: &[u8] = b"removed\n";

/// What becomes of a container once it has been stopped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Afterwards {
    Stays,
    IsRemoved,
}

/// Why a running container could not be controlled.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// It has ended or was never started.
    #[error("container `{0}` is not running")]
    NotRunning(String),
    /// The runtime that has made it does not do it.
    #[error("signal container `{name}`")]
    Foreign {
        /// The container.
        name: String,
        /// Why.
        #[source]
        source: crate::ForeignError,
    },
    /// The stop signal of the container or of the image is none.
    #[error("stop container `{name}`")]
    Signal {
        /// The container.
        name: String,
        /// What was written.
        #[source]
        source: signal::UnknownSignal,
    },
    /// The kernel refused.
    #[error("{act} container `{name}`")]
    Kernel {
        /// `signal`, `wait for`, …
        act: &'static str,
        /// The container.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Its processes do not go away.
    #[error("container `{0}` does not end: its processes are stuck in the kernel")]
    Stuck(String),
    /// A pre_stop hook failed.
    #[error(transparent)]
    Hook(#[from] crate::HookError),
    /// Its leftovers could not be removed.
    #[error(transparent)]
    Remove(#[from] crate::RemoveError),
    /// A record could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Engine {
    /// Stops a container: pre_stop hooks, stop signal, grace, SIGKILL, teardown. A container that is not active stays as it is.
    ///
    /// `grace` replaces the container's own; `None` uses it, or 10 s. The container is not restarted by its policy
    /// until the user starts it again. Holds no lock while it waits. A hook that fails leaves it running, as in Docker
    /// Compose; SIGKILL as the signal asks none.
    pub fn stop(
        &self,
        container: &Container,
        signal: Option<i32>,
        grace: Option<Duration>,
    ) -> Result<(), ControlError> {
        self.stop_and(container, signal, grace, Afterwards::Stays)
    }

    /// As [`Engine::stop`], of a container that is removed next: nothing is made durable of what is deleted at once. Should the
    /// host lose power in between, the container is as it was before.
    pub fn stop_to_remove(
        &self,
        container: &Container,
        signal: Option<i32>,
        grace: Option<Duration>,
    ) -> Result<(), ControlError> {
        self.stop_and(container, signal, grace, Afterwards::IsRemoved)
    }

    fn stop_and(
        &self,
        container: &Container,
        signal: Option<i32>,
        grace: Option<Duration>,
        afterwards: Afterwards,
    ) -> Result<(), ControlError> {
        let state = self.load_state(&container.id)?;
        if !state.status.is_active() {
            return self.finish(container);
        }
        if signal != Some(libc::SIGKILL) {
            self.before_stop(container)?;
        }
        self.request_stop(container, afterwards)?;
        self.end(container, state.init, signal, grace)?;
        self.tell_of(container, "stop");
        Ok(())
    }

    /// As [`Engine::stop`] because the host goes down: it is no wish of the user's ([`Engine::begin_shutdown`]).
    pub fn stop_for_shutdown(&self, container: &Container) -> Result<(), ControlError> {
        let state = self.load_state(&container.id)?;
        match state.status.is_active() {
            true => {
                let _ = self.before_stop(container); // the host does not wait for one that fails
                self.end(container, state.init, None, None)
            }
            false => Ok(()),
        }
    }

    fn end(
        &self,
        container: &Container,
        init: Option<Process>,
        signal: Option<i32>,
        grace: Option<Duration>,
    ) -> Result<(), ControlError> {
        let name = &container.spec.name;
        let signal = match (signal, &container.spec.stop_signal) {
            (Some(signal), _) => signal,
            (None, Some(text)) => {
                signal::parse(text).map_err(|source| ControlError::Signal { name: name.clone(), source })?
            }
            (None, None) => libc::SIGTERM,
        };
        let grace = grace.or(container.spec.stop_grace).unwrap_or(DEFAULT_STOP_GRACE);
        if let Some(init) = open(init, name)? {
            self.signal(container, &init, signal)?;
            self.thaw(container); // paused, it could not say goodbye
            if !wait_for(&init, Some(grace), name)? {
                self.kill_all(container)?;
                self.signal(container, &init, libc::SIGKILL)?;
            }
        }
        self.finish(container)
    }

    /// Sends a signal to the container's init.
    ///
    /// SIGKILL counts as the user's wish that it stays ended, and it has ended when this returns, as in Docker.
    pub fn kill(&self, container: &Container, signal: i32) -> Result<(), ControlError> {
        let name = &container.spec.name;
        let state = self.load_state(&container.id)?;
        let init = match open(state.init, name)? {
            Some(init) if state.status.is_active() => init,
            _ => return Err(ControlError::NotRunning(name.clone())),
        };
        if signal == libc::SIGKILL {
            self.request_stop(container, Afterwards::Stays)?;
            self.thaw(container);
        }
        self.signal(container, &init, signal)?;
        let event = Event::of_container("kill", &container.id, &container.spec);
        self.tell(event.with("signal", signal.to_string()));
        if signal == libc::SIGKILL {
            wait_for(&init, Some(TEARDOWN_LIMIT), name)?;
            self.finish(container)?;
        }
        Ok(())
    }

    /// Sends a signal to the container's init: by the runtime that has made it, as its first process on this host may be none
    /// of the container's, but what runs them.
    fn signal(&self, container: &Container, init: &OwnedFd, signal: i32) -> Result<(), ControlError> {
        let name = &container.spec.name;
        let Some(foreign) = self.foreign(&container.id)? else { return send(init, signal, name) };
        match foreign.kill(signal) {
            Err(_) if wait_for(init, Some(Duration::ZERO), name)? => Ok(()), // it has ended meanwhile
            Err(_) if signal == libc::SIGKILL => send(init, signal, name), // also when the runtime is gone from this host
            result => result.map_err(|source| ControlError::Foreign { name: name.clone(), source }),
        }
    }

    /// Waits until the container has ended for good and returns its exit code.
    ///
    /// With `limit` it gives up after that time and returns `None`.
    pub fn wait(&self, container: &Container, limit: Option<Duration>) -> Result<Option<i32>, ControlError> {
        let deadline = limit.map(|limit| Instant::now() + limit);
        loop {
            let state = self.load_state(&container.id)?;
            if !state.status.is_active() && !state.has_monitor() {
                return Ok(Some(state.exit_code.unwrap_or(0)));
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Ok(None);
            }
            match open(state.monitor.or(state.init), &container.spec.name)? {
                Some(process) => wait_for(&process, left, &container.spec.name)?,
                None => continue, // it ended between the two looks
            };
        }
    }

    /// Waits for the monitor to tear down, or does it in its place if there is none.
    ///
    /// A monitor whose container runs sees its end by itself, and then the file that asks for it to stay stopped: who wakes it
    /// makes it read all it has once more, of fifty at a time. Not so one that waits until it may restart its container.
    fn finish(&self, container: &Container) -> Result<(), ControlError> {
        let deadline = Instant::now() + TEARDOWN_LIMIT;
        loop {
            let state = self.load_state(&container.id)?;
            let Some(monitor) = open(state.monitor, &container.spec.name)? else { break };
            let sees_itself = state.status != Status::Restarting;
            if sees_itself && wait_for(&monitor, Some(SEES_ITSELF), &container.spec.name)? {
                continue;
            }
            kernel::kill(monitor.as_fd(), libc::SIGTERM).map_err(kernel_error("signal", &container.spec.name))?;
            if !wait_for(&monitor, Some(deadline.saturating_duration_since(Instant::now())), &container.spec.name)? {
                return Err(ControlError::Stuck(container.spec.name.clone()));
            }
        }
        let _lock = self.lock_container(&container.id)?;
        let state = self.load_state(&container.id)?;
        if state.has_monitor() || !self.has_leftovers(&container.id) {
            return Ok(()); // somebody started it again meanwhile, or all is clean
        }
        self.settle(&container.id)?;
        Ok(())
    }

    /// Makes a container whose monitor is gone an exited one, on disk and in the kernel. Needs the container's lock.
    pub(crate) fn settle(&self, id: &str) -> Result<(), crate::RemoveError> {
        self.tear_down(id)?;
        // a bridge that stays until the next command harms nobody
        let _ = self.net.teardown_if_unused();
        let path = self.layout.container(id).state();
        let Some(mut state) = State::read(&path)? else { return Ok(()) };
        if state.status.is_active() {
            state = state.corrected();
            state.cut_off = !state.is_of_this_boot();
            state.status = Status::Exited;
            state.finished_at = Some(jiff::Timestamp::now());
        }
        state.end();
        match durable::write_json(&path, &state, !is_passing(&self.layout.container(id))) {
            // whoever reads the old record corrects it, and there must be room for what makes room: deleting
            Err(error) if error.is_want_of_room() => Ok(()),
            written => Ok(written?),
        }
    }

    fn request_stop(&self, container: &Container, afterwards: Afterwards) -> Result<(), FileError> {
        let path = container.paths.stop_request();
        // one that nobody was to need does not do for a container that stays: its removal was cut short
        let stands = |text: Vec<u8>| afterwards == Afterwards::IsRemoved || text != REMOVED_NEXT;
        if std::fs::read(&path).is_ok_and(stands) {
            return Ok(());
        }
        let written = match afterwards {
            Afterwards::Stays => durable::write(&path, b"", 0o600, !container.paths.is_ephemeral()),
            Afterwards::IsRemoved => durable::write(&path, REMOVED_NEXT, 0o600, false),
        };
        match written {
            // deleted meanwhile by its auto-remove
            Err(_) if !container.paths.dir().exists() => Ok(()),
            // until the host goes down, this does as well
            Err(error) if error.is_want_of_room() => {
                durable::write(&container.paths.stop_request_of_this_boot(), b"", 0o600, false)
            }
            result => result,
        }
    }

    fn kill_all(&self, container: &Container) -> Result<(), ControlError> {
        self.thaw(container);
        if let Some(cgroup) = self.cgroup_of(&container.id) {
            let source = |error| io::Error::other(format!("{error}"));
            cgroup.kill_all().map_err(source).map_err(kernel_error("kill the processes of", &container.spec.name))?;
        }
        Ok(())
    }

    /// Lets frozen processes run on: a frozen process would not see even SIGKILL on cgroup v1.
    fn thaw(&self, container: &Container) {
        if let Some(cgroup) = self.cgroup_of(&container.id) {
            let _ = cgroup.thaw(); // not frozen, or gone: both fine
        }
    }
}

/// Returns whether nothing of the container need outlive a power loss: nobody wants it back, or it is removed next.
pub(crate) fn is_passing(paths: &ContainerPaths) -> bool {
    paths.is_ephemeral() || std::fs::read(paths.stop_request()).is_ok_and(|text| text == REMOVED_NEXT)
}

fn open(process: Option<Process>, name: &str) -> Result<Option<OwnedFd>, ControlError> {
    let Some(process) = process else { return Ok(None) };
    process.reference().open().map_err(kernel_error("find the process of", name))
}

/// Returns whether a process has not ended, be it reaped or not.
pub(crate) fn goes_on(process: Option<Process>) -> bool {
    let process = process.and_then(|process| process.reference().open().ok().flatten());
    process.is_some_and(|process| wait_for(&process, Some(Duration::ZERO), "").is_ok_and(|has_ended| !has_ended))
}

fn send(process: &OwnedFd, signal: i32, name: &str) -> Result<(), ControlError> {
    kernel::kill(process.as_fd(), signal).map(|_delivered| ()).map_err(kernel_error("signal", name))
}

/// Waits until the process has ended; returns false if it has not within `limit`.
fn wait_for(process: &OwnedFd, limit: Option<Duration>, name: &str) -> Result<bool, ControlError> {
    let deadline = limit.map(|limit| Instant::now() + limit);
    loop {
        let timeout = match deadline {
            None => PollTimeout::NONE,
            Some(deadline) => poll_timeout(deadline.saturating_duration_since(Instant::now())),
        };
        let mut fds = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
        match nix::poll::poll(&mut fds, timeout) {
            Ok(0) if deadline.is_some_and(|deadline| Instant::now() >= deadline) => return Ok(false),
            Ok(0) | Err(nix::Error::EINTR) => {}
            Ok(_) => return Ok(true),
            Err(errno) => return Err(kernel_error("wait for", name)(errno.into())),
        }
    }
}

/// Rounds up, so that a wait never ends early and spins.
pub(crate) fn poll_timeout(duration: Duration) -> PollTimeout {
    let milliseconds = duration.as_millis() + u128::from(!duration.subsec_nanos().is_multiple_of(1_000_000));
    PollTimeout::try_from(i32::try_from(milliseconds).unwrap_or(i32::MAX)).unwrap_or(PollTimeout::MAX)
}

fn kernel_error(act: &'static str, name: &str) -> impl FnOnce(io::Error) -> ControlError {
    let name = name.to_owned();
    move |source| ControlError::Kernel { act, name, source }
}
