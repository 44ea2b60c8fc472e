//! `exec`: one more process in a container.

use std::path::PathBuf;

use oci_spec::runtime::{Process, Spec};

use super::container::{Container, Status};
use super::{OciError, Root, console, record};
use crate::cgroup::Cgroup;
use crate::exec::{ExecRequest, Executed, exec};
use crate::launch::LaunchError;

/// What a caller says beside the process.
#[derive(Clone, Debug, Default)]
pub struct ExecOptions {
    /// The socket that gets the process's terminal.
    pub console_socket: Option<PathBuf>,
    /// The socket that gets a pidfd of it.
    pub pidfd_socket: Option<PathBuf>,
    /// The file that gets its pid.
    pub pid_file: Option<PathBuf>,
    /// How many of the caller's descriptors from 3 on the program inherits.
    pub preserve_fds: u32,
    /// A cgroup below the container's, which must exist.
    pub cgroup: Option<String>,
    /// Also in a paused container, where it waits until that goes on.
    pub ignore_paused: bool,
    /// The caller stays, and serves the process's terminal.
    pub attended: bool,
}

impl Root {
    /// Runs a process in a container; returns once its program runs. It is a child of the caller.
    ///
    /// The caller must have one thread and run from a sealed copy. `process` is asked for with the container's own
    /// configuration at hand.
    ///
    /// # Errors
    /// [`OciError::Status`] when the container is stopped, or paused and that is not to be ignored;
    /// [`OciError::exit_code`] tells whether the program was not found or cannot be invoked.
    pub fn exec(
        &self,
        id: &str,
        options: &ExecOptions,
        process: impl FnOnce(&Spec) -> Result<Process, OciError>,
    ) -> Result<Executed, OciError> {
        // Not locked: a process that is slow to start must not keep others from stopping the container.
        let container = self.open(id)?;
        let (created, running) = (Status::Created, Status::Running);
        let allowed = [created, running, if options.ignore_paused { Status::Paused } else { running }];
        container.require("exec in", &allowed)?;
        let spec = container.spec()?;
        let process = process(&spec)?;
        let terminal = process.terminal().unwrap_or(false);
        let cells = |cells: u64| u16::try_from(cells).unwrap_or(u16::MAX);
        let size = process.console_size().map(|size| (cells(size.height()), cells(size.width())));
        let gone = || LaunchError::Gone { pid: container.record.init.map_or(0, |init| init.pid) };
        let mut executed = exec(ExecRequest {
            init: &container.live_init().ok_or_else(gone)?,
            cgroup: &container.subgroup(options.cgroup.as_deref())?,
            container: &spec,
            process: &process,
            stdio: console::streams(terminal, size, options.console_socket.as_deref(), options.attended)?,
            preserve_fds: options.preserve_fds,
            patience: None,
        })?;
        let handed = hand_over(options, &mut executed);
        if handed.is_err() {
            let _gone = crate::process::kill(std::os::fd::AsFd::as_fd(&executed.pidfd), libc::SIGKILL);
        }
        handed.map(|()| executed)
    }
}

fn hand_over(options: &ExecOptions, executed: &mut Executed) -> Result<(), OciError> {
    if let Some(path) = &options.console_socket
        && let Some(terminal) = executed.terminal.take()
    {
        console::send(path, &terminal)?;
    }
    if let Some(path) = &options.pidfd_socket {
        console::send_pidfd(path, "setns", &executed.pidfd)?;
    }
    match &options.pid_file {
        Some(path) => record::replace(path, executed.pid.to_string().as_bytes()),
        None => Ok(()),
    }
}

impl Container {
    /// Names a cgroup below the container's.
    fn subgroup(&self, below: Option<&str>) -> Result<Cgroup, OciError> {
        let Some(below) = below else { return Ok(self.cgroup().clone()) };
        if below.contains(':') {
            let why = format!("`--cgroup {below}`: a cgroup for single controllers is not supported, name a path");
            return Err(OciError::Options(why));
        }
        let path = format!("{}/{}", self.cgroup().path(), below.trim_start_matches('/'));
        let cgroup = Cgroup::open(&path)?;
        let exists = cgroup.existing().next().is_some();
        match exists {
            true => Ok(cgroup),
            false => Err(OciError::Options(format!("`--cgroup {below}`: there is no cgroup `{path}`"))),
        }
    }
}
