//! Commands at the turns of a container's life: who runs them, and what becomes of one that fails.
//!
//! A turn's commands are run by a process of their own, this binary once more as the monitor is ([`crate::spawn`]): a command
//! of lighter may have threads and must not clone then, and a monitor must not wait. The process ends with the last of
//! them, or with the first that fails; when the container ends before, the kernel ends them.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout};
use serde::{Deserialize, Serialize};

use crate::monitor::set_nonblocking;
use crate::runtime::process;
use crate::spawn::{self, LaunchRecord, Reply, SpawnError, Task};
use crate::spec::Hook;
use crate::state::{State, Status};
use crate::{Container, Engine, Exec, ExecSpec, control, exit_code};

/// Bytes kept of what a command writes, its last: enough to see why it failed.
const OUTPUT_LIMIT: usize = 4096;

/// When commands are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Turn {
    /// The container has just started.
    PostStart,
    /// It is about to be stopped.
    PreStop,
    /// Somebody wants it now.
    Asked,
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PostStart => "post_start hook",
            Self::PreStop => "pre_stop hook",
            Self::Asked => "command",
        })
    }
}

/// Why a command was not run in a container to a good end.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// It failed, or was not started.
    #[error("in container `{name}`: {message}")]
    Failed {
        /// The container.
        name: String,
        /// Which command, how it ended, and what it wrote last.
        message: String,
    },
    /// There is no process to run it.
    #[error("run a command in container `{name}`")]
    Process {
        /// The container.
        name: String,
        /// Why.
        #[source]
        source: SpawnError,
    },
}

impl Engine {
    /// Runs a command in a running container and waits for its end; what it writes is seen only when it fails.
    ///
    /// Unlike [`Engine::exec`] it may be called by a process with threads.
    pub fn execute(&self, container: &Container, command: &Hook) -> Result<(), HookError> {
        self.run_commands(container, Turn::Asked, std::slice::from_ref(command))
    }

    /// Runs the pre_stop hooks of a container that runs; one that ends meanwhile needs no more of them.
    pub(crate) fn before_stop(&self, container: &Container) -> Result<(), HookError> {
        // what has ended is still called running, until its monitor has seen to that
        let is_it = |state: State| state.status == Status::Running && control::goes_on(state.init);
        let runs = || self.load_state(&container.id).is_ok_and(is_it);
        if container.spec.hooks.pre_stop.is_empty() || !runs() {
            return Ok(());
        }
        self.run_commands(container, Turn::PreStop, &container.spec.hooks.pre_stop).or_else(|error| match runs() {
            true => Err(error),
            false => Ok(()),
        })
    }

    fn run_commands(&self, container: &Container, turn: Turn, commands: &[Hook]) -> Result<(), HookError> {
        let name = || container.spec.name.clone();
        let record = LaunchRecord {
            commands: commands.to_vec(),
            ..self.launch_record(&container.id, Task::Commands(turn), false)
        };
        match spawn::monitor(&record, None, None).map_err(|source| HookError::Process { name: name(), source })? {
            Reply::Begun | Reply::Started { .. } => Ok(()),
            Reply::Failed { message, .. } => Err(HookError::Failed { name: name(), message }),
        }
    }
}

/// Runs the commands of the record: all that the process for them does. The reply repeats the record's warnings.
pub(crate) fn serve(engine: &Engine, record: &LaunchRecord, turn: Turn) -> Reply {
    let run = |command: &Hook| {
        let failed = |why: String| format!("{turn} `{}` {why}", command.args.join(" "));
        let container = engine.load(&record.id).map_err(|error| failed(format!("was not run: {error}")))?;
        let container = container.ok_or_else(|| failed("was not run: the container is gone".to_owned()))?;
        run_one(engine, &container, command).map_err(failed)
    };
    match record.commands.iter().try_for_each(run) {
        Ok(()) => Reply::Started { warnings: record.warnings.clone() },
        Err(message) => Reply::Failed { exit_code: exit_code::OURS, message, port: None },
    }
}

/// Runs one command to its end; the error says how it failed, to be read after its name.
fn run_one(engine: &Engine, container: &Container, command: &Hook) -> Result<(), String> {
    let Hook { args, env, user, working_dir, privileged } = command.clone();
    let spec = ExecSpec { args, env, user, working_dir, privileged, ..ExecSpec::default() };
    let started = engine.exec(container, &spec);
    let exec = started.map_err(|error| format!("was not run: {}", crate::monitor::chain(&error)))?;
    match finish(exec).map_err(|error| format!("was lost: {error}"))? {
        (0, _) => Ok(()),
        (code, output) => {
            let text = String::from_utf8_lossy(&output);
            let text = text.trim();
            let output = if text.is_empty() { String::new() } else { format!(": {text}") };
            Err(format!("ended with exit code {code}{output}"))
        }
    }
}

/// Reads what a process writes until it ends, whatever it has started; returns its exit code and its last output.
fn finish(mut exec: Exec) -> io::Result<(i32, Vec<u8>)> {
    let mut outputs: Vec<File> = Vec::new();
    for output in [exec.stdout.take(), exec.stderr.take()].into_iter().flatten() {
        set_nonblocking(&output)?;
        outputs.push(output.into());
    }
    let mut text = Vec::new();
    loop {
        let mut fds: Vec<_> = outputs.iter().map(|output| PollFd::new(output.as_fd(), PollFlags::POLLIN)).collect();
        fds.push(PollFd::new(exec.pidfd.as_fd(), PollFlags::POLLIN));
        match nix::poll::poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        // looked at before its output is read: what it wrote at its end is in the pipes by then
        let exit = process::reap(exec.pidfd.as_fd())?;
        outputs.retain_mut(|output| read(output, &mut text));
        if let Some(exit) = exit {
            return Ok((exit.code(), text));
        }
    }
}

/// Reads what is there; returns whether there may be more.
fn read(output: &mut File, text: &mut Vec<u8>) -> bool {
    let mut piece = [0; OUTPUT_LIMIT];
    loop {
        match output.read(&mut piece) {
            Ok(0) => return false,
            Ok(count) => {
                text.extend_from_slice(&piece[..count]);
                text.drain(..text.len().saturating_sub(OUTPUT_LIMIT));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
        }
    }
}
