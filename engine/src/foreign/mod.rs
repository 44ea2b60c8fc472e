//! Containers whose processes another OCI runtime makes: its command line, which is runc's, from `create` to `delete`.
//!
//! Runs in the monitor, in commands that execute or signal something, and wherever a container is torn down.
//!
//! ```text
//! config.json ─▶ create ─▶ its first process, orphaned by the end of `create`: a child of the monitor, the next subreaper
//!                start, exec, kill ─▶ as the runtime sees fit: what it runs may be no process of this host's at all
//!                delete ─▶ what the runtime keeps, in the container's run directory, is gone
//! ```
//! All else is as with our own runtime: streams, network, root filesystem, cgroup, and who waits for the end.

mod call;
mod console;
mod exec;
pub(crate) mod init;

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use crate::durable::{self, FileError};
use crate::layout::ContainerPaths;
use crate::runtime::cgroup::{Cgroup, CgroupError};
use crate::runtime::launch::{Init, Stdio};
use crate::runtime::process::{self, ProcessRef};
use crate::runtimes::OciRuntime;
use crate::{Engine, exit_code};

use call::{Call, Streams};
use console::Console;
pub use init::InitError;

/// A container of another runtime, which need not be made yet.
#[derive(Debug)]
pub(crate) struct Foreign {
    runtime: OciRuntime,
    id: String,
    paths: ContainerPaths,
}

/// Why another runtime did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ForeignError {
    /// It cannot be run.
    #[error("run `{path}`, the OCI runtime `{name}`")]
    Program {
        /// Its name.
        name: String,
        /// The program.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It has failed.
    #[error("OCI runtime `{name}`: {verb}: {message}")]
    Refused {
        /// Its name.
        name: String,
        /// What it was to do.
        verb: &'static str,
        /// What it says.
        message: String,
        /// 127 command not found, 126 cannot be invoked, 125 the rest: docker-run(1).
        exit_code: i32,
    },
    /// It has not handed over what it should have.
    #[error("take the {what} from the OCI runtime `{name}`")]
    Handover {
        /// `process`, `terminal`.
        what: &'static str,
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The cgroup it has made cannot be found.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    /// A file for it could not be written.
    #[error(transparent)]
    File(#[from] FileError),
}

impl ForeignError {
    /// Returns docker-run(1)'s exit code for this failure.
    pub(crate) fn exit_code(&self) -> i32 {
        match self {
            Self::Refused { exit_code, .. } => *exit_code,
            _ => exit_code::OURS,
        }
    }
}

impl Engine {
    /// Returns the other runtime that made the container that runs, or is about to; `None` = our own.
    pub(crate) fn foreign(&self, id: &str) -> Result<Option<Foreign>, FileError> {
        let paths = self.layout.container(id);
        let runtime = durable::read_json::<OciRuntime>(&paths.oci_runtime())?;
        Ok(runtime.map(|runtime| Foreign { runtime, id: id.to_owned(), paths }))
    }
}

impl Foreign {
    /// Notes which runtime makes a container, before it is called for the first time.
    pub(crate) fn begin(runtime: OciRuntime, id: &str, paths: &ContainerPaths) -> Result<Self, FileError> {
        durable::write_json(&paths.oci_runtime(), &runtime, false)?;
        Ok(Self { runtime, id: id.to_owned(), paths: paths.clone() })
    }

    /// Makes the container of the bundle in the run directory, up to where its program would be executed; returns its first
    /// process, a child of ours, and its terminal.
    pub(crate) fn create(&self, program: &str, stdio: Stdio) -> Result<(Init, Option<OwnedFd>), ForeignError> {
        if self.paths.oci_state().exists() {
            self.delete()?; // of the run before this one
        }
        durable::create_dir(&self.paths.oci_state())?;
        let mut call = Call::new(self, "create")?;
        let console = Console::for_streams(&stdio, &call)?;
        let pid_file = call.file("pid");
        call.args(["--bundle".as_ref(), self.paths.run().as_os_str(), "--pid-file".as_ref(), pid_file.as_os_str()]);
        call.console(console.as_ref());
        let adopted = Subreaper::begin().map_err(self.lost("process"))?;
        call.run(Streams::from(stdio), program)?;
        let made = self.process(&pid_file);
        drop(adopted);
        let (process, pidfd) = made.inspect_err(|_| self.abandon())?;
        let cgroup = durable::read_json::<String>(&self.paths.cgroup())?.unwrap_or_default();
        let cgroup = Cgroup::open(&cgroup).inspect_err(|_| self.abandon())?;
        let terminal = console.map(|console| console.terminal(self)).transpose().inspect_err(|_| self.abandon())?;
        Ok((Init { pid: process.pid, start_time: process.start_time, pidfd, cgroup }, terminal))
    }

    /// Lets the program of the container that was made be executed; when it is not, nothing is left.
    pub(crate) fn start(&self, program: &str, init: &Init) -> Result<(), ForeignError> {
        Call::new(self, "start")?.run(Streams::default(), program).inspect_err(|_| {
            self.abandon();
            let _ = process::kill(init.pidfd.as_fd(), libc::SIGKILL);
            let _ = process::reap_blocking(init.pidfd.as_fd()); // so that no zombie is left of each try
        })
    }

    /// Sends a signal to the container's first process.
    pub(crate) fn kill(&self, signal: i32) -> Result<(), ForeignError> {
        let mut call = Call::new(self, "kill")?;
        call.after_id(signal.to_string());
        call.run(Streams::default(), "")
    }

    /// Has the runtime forget the container, killing it if it runs; one that it does not know is success.
    pub(crate) fn delete(&self) -> Result<(), ForeignError> {
        if !self.paths.oci_state().exists() {
            return Ok(());
        }
        let mut call = Call::new(self, "delete")?;
        call.args(["--force"]);
        call.run(Streams::default(), "")
    }

    fn abandon(&self) {
        let _ = self.delete(); // what stays is in the run directory and the cgroup, and goes with them
    }

    /// Returns the process that the runtime names in a file, and its handle.
    fn process(&self, pid_file: &std::path::Path) -> Result<(ProcessRef, OwnedFd), ForeignError> {
        let text = fs::read_to_string(pid_file).map_err(self.lost("process"))?;
        let no_pid = |_| io::Error::new(io::ErrorKind::InvalidData, format!("`{}` is no pid", text.trim()));
        let pid = text.trim().parse::<i32>().map_err(no_pid).map_err(self.lost("process"))?;
        // it is our child: until we reap it, nobody else has its pid
        let start_time = process::start_time(pid).map_err(self.lost("process"))?;
        let process = ProcessRef { pid, start_time };
        let pidfd = process.open().and_then(|pidfd| pidfd.ok_or_else(|| io::ErrorKind::NotFound.into()));
        Ok((process, pidfd.map_err(self.lost("process"))?))
    }

    fn lost(&self, what: &'static str) -> impl FnOnce(io::Error) -> ForeignError {
        let name = self.runtime.name.clone();
        move |source| ForeignError::Handover { what, name, source }
    }
}

/// Orphaned descendants become our children while this lives: prctl(2), PR_SET_CHILD_SUBREAPER.
struct Subreaper;

impl Subreaper {
    fn begin() -> io::Result<Self> {
        Ok(nix::sys::prctl::set_child_subreaper(true).map(|()| Self)?)
    }
}

impl Drop for Subreaper {
    fn drop(&mut self) {
        let _ = nix::sys::prctl::set_child_subreaper(false); // it cannot fail with a plain number
    }
}
