//! Programs a scenario runs, and what they left behind: status and both outputs.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::eventually;
use super::eventually::patient;

/// Returns a command without input, in the namespaces of the calling thread.
#[expect(clippy::disallowed_methods, reason = "tests look at the host with the tools that people use")]
pub(crate) fn tool<S: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    command
}

/// What a finished program said.
#[derive(Debug)]
pub(crate) struct Output {
    command: String,
    status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    /// Asserts success.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        self.code(0)
    }

    /// Asserts the exit status `expected`.
    #[track_caller]
    pub(crate) fn code(self, expected: i32) -> Self {
        assert!(self.status.code() == Some(expected), "expected status {expected}\n{self}");
        self
    }

    /// Asserts that standard error contains each of `parts`, whatever is between them.
    #[track_caller]
    pub(crate) fn says<const N: usize>(self, parts: [&str; N]) -> Self {
        for part in parts {
            assert!(self.stderr.contains(part), "expected `{part}` on standard error\n{self}");
        }
        self
    }

    pub(crate) fn succeeded(&self) -> bool {
        self.status.success()
    }

    /// Returns standard output without the white space around it.
    pub(crate) fn text(&self) -> &str {
        self.stdout.trim()
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "$ {}\n{}", self.command, self.status)?;
        write!(f, "--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr)
    }
}

/// Runs `command` to its end.
///
/// Panics when that takes longer than `limit`, or when something it left behind still holds its output: a caller that
/// reads through a pipe would hang as well.
#[track_caller]
pub(crate) fn run(mut command: Command, limit: Duration) -> Output {
    let shown = shown(&command);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("run `{shown}`: {error}"));
    let stdout = collect(child.stdout.take().expect("stdout is piped"));
    let stderr = collect(child.stderr.take().expect("stderr is piped"));
    let status = wait(&mut child, &shown, limit);
    let text = |output: mpsc::Receiver<String>| {
        output
            .recv_timeout(patient(limit))
            .unwrap_or_else(|_| panic!("`{shown}` has ended but its output is still held open"))
    };
    Output { stdout: text(stdout), stderr: text(stderr), command: shown, status }
}

fn collect(mut from: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}

fn wait(child: &mut Child, shown: &str, limit: Duration) -> ExitStatus {
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        eventually(&format!("`{shown}` ends"), limit, || match child.try_wait() {
            Ok(Some(status)) => Ok(status),
            Ok(None) => Err("it is running".to_owned()),
            Err(error) => Err(error.to_string()),
        })
    }));
    ended.unwrap_or_else(|panic| {
        let _ = child.kill();
        let _ = child.wait();
        std::panic::resume_unwind(panic)
    })
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// A program that goes on while the scenario looks at it; both outputs go to files.
pub(crate) struct Running {
    child: Child,
    shown: String,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Running {
    /// Starts `command`, with its outputs in `directory`.
    pub(crate) fn start(mut command: Command, directory: &Path) -> Self {
        let shown = shown(&command);
        let file = |name: &str| {
            let path = directory.join(name);
            (File::create(&path).expect("the scenario's directory is ours"), path)
        };
        let ((out, stdout), (err, stderr)) = (file("running.stdout"), file("running.stderr"));
        let child = command.stdout(out).stderr(err).spawn().unwrap_or_else(|error| panic!("run `{shown}`: {error}"));
        Self { child, shown, stdout, stderr }
    }

    /// Returns whether it has ended, reaped or not.
    pub(crate) fn has_ended(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('Z'))
    }

    /// Sends a signal; one that has ended is left in peace.
    pub(crate) fn signal_if_alive(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a pid fits");
        let _ = kill(Pid::from_raw(pid), signal);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a pid fits");
        kill(Pid::from_raw(pid), signal).expect("the program is a child not yet waited for");
    }

    /// Returns the most memory the program has had, in KiB: `VmHWM`, proc(5).
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("the program runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        line.and_then(|line| line.trim().split(' ').next()?.parse().ok()).expect("a number of KiB")
    }

    /// Returns standard output so far.
    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.stdout).unwrap_or_default()).into_owned()
    }

    /// Returns standard error so far.
    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.stderr).unwrap_or_default()).into_owned()
    }

    /// Waits for `text` on standard output.
    pub(crate) fn shows(&self, text: &str, limit: Duration) {
        eventually(&format!("`{}` shows `{text}`", self.shown), limit, || {
            let stdout = self.stdout();
            if stdout.contains(text) { Ok(()) } else { Err(stdout) }
        });
    }

    pub(crate) fn finish(mut self, limit: Duration) -> Output {
        let status = wait(&mut self.child, &self.shown, limit);
        Output { command: std::mem::take(&mut self.shown), status, stdout: self.stdout(), stderr: self.stderr() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
