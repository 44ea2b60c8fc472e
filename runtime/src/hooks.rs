//! Programs of the caller that run at points of a container's life (runtime-spec, config.md, "POSIX-platform Hooks").
//!
//! `prestart`, `createRuntime`, `poststart` and `poststop` run in the process that creates, starts or deletes;
//! `createContainer` and `startContainer` run in init, in the container's namespaces, the latter in its root
//! filesystem as well. Each reads the container's state as JSON on its standard input.

use std::collections::HashMap;
use std::fmt::Display;
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use oci_spec::runtime::{ContainerState, Hook, State};
use serde::{Deserialize, Serialize};

use crate::plan::PlanError;
use crate::sys;
use crate::trace::{self, Effect};

/// How much of what a failed hook says is told on.
const TOLD_BYTES: usize = 2 * 1024;

/// The hooks of a container, by the point at which they run; checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hooks {
    pub(crate) prestart: Vec<HookPlan>,
    pub(crate) create_runtime: Vec<HookPlan>,
    pub(crate) create_container: Vec<HookPlan>,
    pub(crate) start_container: Vec<HookPlan>,
    pub(crate) poststart: Vec<HookPlan>,
    pub(crate) poststop: Vec<HookPlan>,
}

impl Hooks {
    /// Tells whether any hook runs before the container's root filesystem becomes `/`.
    pub(crate) fn any_before_pivot(&self) -> bool {
        !(self.prestart.is_empty() && self.create_runtime.is_empty() && self.create_container.is_empty())
    }
}

/// One hook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HookPlan {
    /// Where the spec has it: `hooks.prestart[0]`.
    key: String,
    /// Absolute.
    path: PathBuf,
    /// With the name it is called by; empty: the path alone.
    args: Vec<String>,
    /// All of its environment.
    env: Vec<(String, String)>,
    /// It is killed after so long.
    timeout: Option<Duration>,
}

/// Why a hook failed.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// It could not be run at all.
    #[error("run `{key}`, `{path}`")]
    Run {
        /// Where the spec has it.
        key: String,
        /// Its program.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It ran and failed.
    #[error("`{key}`, `{path}`: {how}")]
    Failed {
        /// Where the spec has it.
        key: String,
        /// Its program.
        path: PathBuf,
        /// How it ended, and the beginning of what it said.
        how: String,
    },
}

impl HookError {
    /// Returns the error with its cause, where only a text can be handed on.
    pub(crate) fn told(&self) -> String {
        std::error::Error::source(self).map_or_else(|| self.to_string(), |source| format!("{self}: {source}"))
    }
}

/// Checks the hooks of a spec.
pub(crate) fn plan(hooks: Option<&oci_spec::runtime::Hooks>) -> Result<Hooks, PlanError> {
    let Some(hooks) = hooks else { return Ok(Hooks::default()) };
    let prestart = hooks.prestart();
    Ok(Hooks {
        prestart: plan_all("hooks.prestart", prestart)?,
        create_runtime: plan_all("hooks.createRuntime", hooks.create_runtime())?,
        create_container: plan_all("hooks.createContainer", hooks.create_container())?,
        start_container: plan_all("hooks.startContainer", hooks.start_container())?,
        poststart: plan_all("hooks.poststart", hooks.poststart())?,
        poststop: plan_all("hooks.poststop", hooks.poststop())?,
    })
}

fn plan_all(field: &'static str, hooks: &Option<Vec<Hook>>) -> Result<Vec<HookPlan>, PlanError> {
    hooks.iter().flatten().enumerate().map(|(index, hook)| plan_one(field, index, hook)).collect()
}

fn plan_one(field: &'static str, index: usize, hook: &Hook) -> Result<HookPlan, PlanError> {
    let refused = |value: &dyn Display, why| Err(PlanError::invalid(field, value, why));
    if !hook.path().is_absolute() {
        return refused(&hook.path().display(), "the path of a hook must be absolute");
    }
    let args = hook.args().clone().unwrap_or_default();
    let env = hook.env().clone().unwrap_or_default();
    if let Some(text) = args.iter().chain(&env).find(|text| text.contains('\0')) {
        return refused(&text.escape_default(), "it contains a NUL");
    }
    let timeout = match hook.timeout() {
        None => None,
        Some(seconds) if seconds > 0 => u64::try_from(seconds).ok().map(Duration::from_secs),
        Some(seconds) => return refused(&seconds, "the timeout of a hook must be greater than zero"),
    };
    let pair = |entry: &String| entry.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    Ok(HookPlan {
        key: format!("{field}[{index}]"),
        path: hook.path().clone(),
        args,
        env: env.iter().filter_map(pair).collect(),
        timeout,
    })
}

/// The container that hooks are told of.
#[derive(Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) version: &'a str,
    pub(crate) id: &'a str,
    pub(crate) bundle: &'a Path,
    pub(crate) annotations: Option<HashMap<String, String>>,
}

impl Subject<'_> {
    /// Returns its state as hooks read it: JSON (runtime-spec, runtime.md, "State").
    pub(crate) fn state(&self, status: ContainerState, pid: Option<i32>) -> Vec<u8> {
        let mut state = State::default();
        state
            .set_version(self.version.to_owned())
            .set_id(self.id.to_owned())
            .set_status(status)
            .set_pid(pid)
            .set_bundle(self.bundle.to_owned())
            .set_annotations(self.annotations.clone());
        serde_json::to_vec(&state).expect("texts and numbers can be written as JSON")
    }
}

/// Runs hooks one after the other, each with `state` on its standard input, in the directory `bundle`.
///
/// # Errors
/// The first that fails ends the row.
pub(crate) fn run_all(hooks: &[HookPlan], state: &[u8], bundle: Option<&Path>) -> Result<(), HookError> {
    hooks.iter().try_for_each(|hook| run_one(hook, state, bundle))
}

/// Runs hooks one after the other, whatever becomes of them.
pub(crate) fn run_each(hooks: &[HookPlan], state: &[u8], bundle: Option<&Path>) -> Vec<HookError> {
    hooks.iter().filter_map(|hook| run_one(hook, state, bundle).err()).collect()
}

fn run_one(hook: &HookPlan, state: &[u8], bundle: Option<&Path>) -> Result<(), HookError> {
    let failed = |source| HookError::Run { key: hook.key.clone(), path: hook.path.clone(), source };
    let (mut child, said) = spawn(hook, bundle).map_err(failed)?;
    let finished = trace::step(|| effect(hook), || feed_and_wait(&mut child, said, state, hook.timeout));
    if finished.is_err() {
        // It would outlive the container it was to prepare.
        let _gone = child.kill();
        let _reaped = child.wait();
    }
    let (status, said) = finished.map_err(failed)?;
    if status.success() {
        return Ok(());
    }
    let how = match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, signal) => format!("ended by signal {}", signal.unwrap_or_default()),
    };
    let said = String::from_utf8_lossy(&said);
    let how = if said.trim().is_empty() { how } else { format!("{how}: {}", said.trim()) };
    Err(HookError::Failed { key: hook.key.clone(), path: hook.path.clone(), how })
}

fn effect(hook: &HookPlan) -> Effect {
    Effect::RunHook { field: hook.key.clone(), path: trace::text(&hook.path), args: hook.args.clone() }
}

/// Starts a hook; what it says on standard output and standard error can be read from the pipe.
///
/// No `/dev/null`: in a container's root filesystem, or behind its device rules, there may be none.
fn spawn(hook: &HookPlan, bundle: Option<&Path>) -> io::Result<(Child, PipeReader)> {
    let (reader, writer) = io::pipe()?;
    #[expect(
        clippy::disallowed_methods,
        reason = "a hook is a program of the caller: running it is what was asked for"
    )]
    let mut command = Command::new(&hook.path);
    if let [name, rest @ ..] = hook.args.as_slice() {
        command.arg0(name).args(rest);
    }
    command.env_clear().envs(hook.env.iter().map(|(name, value)| (name, value)));
    if let Some(bundle) = bundle {
        command.current_dir(bundle);
    }
    let child = command.stdin(Stdio::piped()).stdout(writer.try_clone()?).stderr(writer).spawn()?;
    Ok((child, reader))
}

/// Writes the state, reads what is said, and waits for the end, at most `timeout`.
fn feed_and_wait(
    child: &mut Child,
    mut output: PipeReader,
    state: &[u8],
    timeout: Option<Duration>,
) -> io::Result<(ExitStatus, Vec<u8>)> {
    let deadline = timeout.map(|timeout| Instant::now() + timeout);
    let pidfd = sys::process::pidfd_open(child.id() as i32)?;
    if let Some(mut stdin) = child.stdin.take() {
        sys::descriptor::set_nonblocking(stdin.as_fd())?;
        match feed(&mut stdin, state, pidfd.as_fd(), deadline) {
            // A hook need not read its input.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            result => result?,
        }
    }
    sys::descriptor::set_nonblocking(output.as_fd())?;
    let mut said = Vec::new();
    let mut open = true;
    while sys::process::pidfd_is_running(pidfd.as_fd()) {
        let mut fds = vec![PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
        if open {
            fds.push(PollFd::new(output.as_fd(), PollFlags::POLLIN));
        }
        wait_for(&mut fds, deadline)?;
        open = open && listen(&mut output, &mut said)?;
    }
    // What a process it left behind holds open is not waited for.
    listen(&mut output, &mut said)?;
    Ok((child.wait()?, said))
}

/// Reads what there is, and keeps the beginning of it; `false` at the end.
fn listen(output: &mut PipeReader, said: &mut Vec<u8>) -> io::Result<bool> {
    let mut buffer = [0; TOLD_BYTES];
    loop {
        match output.read(&mut buffer) {
            Ok(0) => return Ok(false),
            Ok(length) => said.extend_from_slice(&buffer[..length.min(TOLD_BYTES - said.len())]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Writes all of `state`; stops early when the hook has ended.
fn feed(
    stdin: &mut std::process::ChildStdin,
    mut state: &[u8],
    pidfd: std::os::fd::BorrowedFd<'_>,
    deadline: Option<Instant>,
) -> io::Result<()> {
    while !state.is_empty() {
        match stdin.write(state) {
            Ok(length) => state = &state[length..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let mut fds = [PollFd::new(stdin.as_fd(), PollFlags::POLLOUT), PollFd::new(pidfd, PollFlags::POLLIN)];
                wait_for(&mut fds, deadline)?;
                if !sys::process::pidfd_is_running(pidfd) {
                    return Ok(());
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn wait_for(fds: &mut [PollFd<'_>], deadline: Option<Instant>) -> io::Result<()> {
    let timeout = match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
        None => PollTimeout::NONE,
        Some(Duration::ZERO) => return Err(io::ErrorKind::TimedOut.into()),
        Some(left) => PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX),
    };
    match poll(fds, timeout) {
        Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(script: &str, timeout: Option<i64>) -> HookPlan {
        let timeout = timeout.map_or(String::new(), |timeout| format!(r#","timeout":{timeout}"#));
        let args = serde_json::to_string(&["sh", "-c", script]).unwrap();
        let json = format!(r#"{{"path":"/bin/sh","args":{args},"env":["WHO=me"]{timeout}}}"#);
        plan_one("hooks.prestart", 0, &serde_json::from_str(&json).unwrap()).unwrap()
    }

    #[test]
    fn a_hook_reads_the_state_and_has_its_own_environment_only() {
        let directory = tempfile::tempdir().unwrap();
        let script = "read -r state; echo \"$state $WHO ${HOME-none} $PWD\" >out";
        run_all(&[hook(script, Some(20))], b"{}\n", Some(directory.path())).unwrap();
        let out = std::fs::read_to_string(directory.path().join("out")).unwrap();
        assert_eq!(out.trim(), format!("{{}} me none {}", directory.path().display()));
    }

    #[test]
    fn the_first_failure_ends_the_row_and_says_why() {
        let directory = tempfile::tempdir().unwrap();
        let hooks = [hook("echo sorry >&2; exit 3", None), hook(">out", None)];
        let error = run_all(&hooks, b"{}", Some(directory.path())).unwrap_err();
        assert_eq!(error.to_string(), "`hooks.prestart[0]`, `/bin/sh`: exit status 3: sorry");
        assert!(!directory.path().join("out").exists());
        assert_eq!(run_each(&hooks, b"{}", Some(directory.path())).len(), 1);
        assert!(directory.path().join("out").exists());
    }

    #[test]
    fn a_hook_that_takes_too_long_is_killed() {
        let begin = Instant::now();
        let error = run_all(&[hook("exec sleep 60", Some(1))], b"{}", None).unwrap_err();
        assert!(matches!(&error, HookError::Run { source, .. } if source.kind() == io::ErrorKind::TimedOut), "{error}");
        assert!(begin.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_hook_need_not_read_a_long_state_nor_be_listened_to() {
        run_all(&[hook("exit 0", Some(20))], &vec![b'x'; 1 << 20], None).unwrap();
        run_all(&[hook("cat >/dev/null; echo fine", Some(20))], &vec![b'x'; 1 << 20], None).unwrap();
    }

    #[test]
    fn a_relative_path_and_no_time_at_all_are_refused() {
        for json in
            [r#"{"path":"sh"}"#, r#"{"path":"/bin/sh","timeout":0}"#, r#"{"path":"/bin/sh","args":["a\u0000"]}"#]
        {
            assert!(plan_one("hooks.prestart", 0, &serde_json::from_str(json).unwrap()).is_err(), "{json}");
        }
    }
}
