//! A second process in a running container. Runs in the command, which must be single-threaded and sealed by then.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use nix::fcntl::OFlag;
use oci_spec::runtime::Spec;

use crate::durable::{self, FileError};
use crate::runtime::cgroup::{Cgroup, CgroupError};
use crate::runtime::exec::{ExecRequest, exec};
use crate::runtime::launch::{LaunchError, Stdio};
use crate::spec::Isolation;
use crate::state::Status;
use crate::user::{self, UserError};
use crate::{Container, Engine, ForeignError, exit_code, oci};

/// What to execute, and how it differs from the container's own process.
#[derive(Debug, Clone, Default)]
pub struct ExecSpec {
    /// The program and its arguments.
    pub args: Vec<String>,
    /// `NAME=value` pairs added to the container's; a name alone takes a variable away.
    pub env: Vec<String>,
    /// `user[:group]`; `None` = the container's.
    pub user: Option<String>,
    /// Absolute path inside; `None` = the container's.
    pub working_dir: Option<String>,
    /// A terminal instead of pipes, of this many rows and columns.
    pub terminal: Option<(u16, u16)>,
    /// Hand input in.
    pub open_stdin: bool,
    /// All capabilities.
    pub privileged: bool,
    /// Nobody waits for it: no input, and its output goes nowhere.
    pub detached: bool,
}

/// A process that was started, a child of the caller.
#[derive(Debug)]
pub struct Exec {
    /// Its pidfd: poll it for its end, then reap it.
    pub pidfd: OwnedFd,
    /// Its terminal, or …
    pub terminal: Option<OwnedFd>,
    /// … its input, if one was asked for, …
    pub stdin: Option<OwnedFd>,
    /// … its output …
    pub stdout: Option<OwnedFd>,
    /// … and its error output.
    pub stderr: Option<OwnedFd>,
    /// What could not be applied in full, one sentence each.
    pub warnings: Vec<String>,
}

/// Why a process could not be executed in a container.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// It does not run.
    #[error("container `{0}` is not running")]
    NotRunning(String),
    /// It is paused.
    #[error("container `{0}` is paused: unpause it first")]
    Paused(String),
    /// No such user.
    #[error(transparent)]
    User(#[from] UserError),
    /// Its cgroup cannot be found.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    /// Its configuration cannot be changed like this.
    #[error(transparent)]
    Config(#[from] crate::oci::ConfigError),
    /// No pipes.
    #[error("make pipes")]
    Pipe(#[source] io::Error),
    /// The process did not start.
    #[error("exec in `{name}`")]
    Launch {
        /// The container.
        name: String,
        /// Why.
        #[source]
        source: LaunchError,
    },
    /// The runtime that has made the container did not start it.
    #[error("exec in `{name}`")]
    Foreign {
        /// The container.
        name: String,
        /// Why.
        #[source]
        source: ForeignError,
    },
    /// A record could not be read.
    #[error(transparent)]
    File(#[from] FileError),
}

impl ExecError {
    /// Returns the exit code of `exec`: 127 command not found, 126 it cannot be invoked there, 1 where there is nothing to
    /// invoke it in, as docker-exec does.
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::Launch { source, .. } if source.exit_code() != exit_code::OURS => source.exit_code(),
            Self::Foreign { source, .. } if source.exit_code() != exit_code::OURS => source.exit_code(),
            Self::User(_) | Self::Launch { .. } | Self::Foreign { .. } => exit_code::NOT_INVOCABLE,
            _ => 1,
        }
    }
}

impl Engine {
    /// Starts a process in a running container; it ends with the container.
    pub fn exec(&self, container: &Container, spec: &ExecSpec) -> Result<Exec, ExecError> {
        let name = &container.spec.name;
        let state = self.load_state(&container.id)?;
        let init = match (state.status, state.init) {
            (Status::Paused, _) => return Err(ExecError::Paused(name.clone())),
            (Status::Running, Some(init)) => init.reference(),
            _ => return Err(ExecError::NotRunning(name.clone())),
        };
        let config = durable::read_json::<Spec>(&container.paths.run().join("config.json"))?;
        let config = config.ok_or_else(|| ExecError::NotRunning(name.clone()))?;
        let process = process(container, &config, || self.root_directory(container), spec)?;
        let cgroup = Cgroup::open(&state.cgroup.unwrap_or_default())?;
        let (ours, stdio) = stdio(spec).map_err(ExecError::Pipe)?;
        let started = match self.foreign(&container.id)? {
            Some(foreign) => {
                let started = foreign.exec(&process, stdio);
                started.map_err(|source| ExecError::Foreign { name: name.clone(), source })?
            }
            None => {
                let (container, process) = (&config, &process);
                let (init, cgroup, patience) = (&init, &cgroup, None);
                let request = ExecRequest { init, cgroup, container, process, stdio, preserve_fds: 0, patience };
                exec(request).map_err(|source| ExecError::Launch { name: name.clone(), source })?
            }
        };
        let command = spec.args.join(" ");
        ["exec_create", "exec_start"].iter().for_each(|act| self.tell_of(container, &format!("{act}: {command}")));
        let [stdin, stdout, stderr] = ours;
        let (pidfd, terminal, warnings) = (started.pidfd, started.terminal, started.warnings);
        Ok(Exec { pidfd, terminal, stdin, stdout, stderr, warnings })
    }
}

/// Returns the process to execute; `root` finds the container's root directory, for who asks for a user.
fn process(
    container: &Container,
    config: &Spec,
    root: impl FnOnce() -> Result<PathBuf, FileError>,
    spec: &ExecSpec,
) -> Result<oci_spec::runtime::Process, ExecError> {
    let mut process = config.process().clone().unwrap_or_default();
    process.set_args(Some(spec.args.clone())).set_terminal(Some(spec.terminal.is_some()));
    let mut env = process.env().clone().unwrap_or_default();
    for pair in &spec.env {
        let name = format!("{}=", pair.split('=').next().unwrap_or_default());
        env.retain(|old| !old.starts_with(&name));
        env.extend(pair.contains('=').then(|| pair.clone())); // a name alone takes the variable away
    }
    if spec.terminal.is_some() && !env.iter().any(|pair| pair.starts_with("TERM=")) {
        env.push("TERM=xterm".to_owned());
    }
    if let Some(directory) = &spec.working_dir {
        process.set_cwd(directory.into());
    }
    let isolation = if spec.privileged {
        Isolation { privileged: true, cap_drop: Vec::new(), ..container.spec.isolation.clone() }
    } else {
        container.spec.isolation.clone()
    };
    if let Some(wanted) = &spec.user {
        let user = user::resolve(&root()?, wanted, &container.spec.group_add)?;
        env.retain(|pair| !pair.starts_with("HOME=") || spec.env.contains(pair));
        env.push(format!("HOME={}", user.home));
        process.set_user(oci::identity(&user)?);
    }
    if spec.user.is_some() || spec.privileged {
        let is_root = process.user().uid() == 0;
        process.set_capabilities(Some(oci::capability_sets(oci::capabilities(&isolation)?, is_root)?));
    }
    process.set_env(Some(env));
    Ok(process)
}

/// Returns our ends of the pipes (stdin, stdout, stderr), and theirs.
fn stdio(spec: &ExecSpec) -> io::Result<([Option<OwnedFd>; 3], Stdio)> {
    if let Some((rows, cols)) = spec.terminal {
        return Ok(([None, None, None], Stdio::Terminal { rows, cols }));
    }
    if spec.detached {
        let null = || File::options().read(true).write(true).open("/dev/null").map(OwnedFd::from);
        return Ok(([None, None, None], Stdio::Fds { stdin: null()?, stdout: null()?, stderr: null()? }));
    }
    let pipe = || nix::unistd::pipe2(OFlag::O_CLOEXEC).map_err(io::Error::from);
    let (our_stdin, stdin) = if spec.open_stdin {
        let (read, write) = pipe()?;
        (Some(write), read)
    } else {
        (None, File::open("/dev/null")?.into())
    };
    let (our_stdout, stdout) = pipe()?;
    let (our_stderr, stderr) = pipe()?;
    Ok(([our_stdin, Some(our_stdout), Some(our_stderr)], Stdio::Fds { stdin, stdout, stderr }))
}
