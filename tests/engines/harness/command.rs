//! Programs that end, with what they said.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::{LIMIT, eventually};

/// Where `.ci/packages.sh` unpacks what must not be installed, because it would bring services.
pub(super) const UNPACKED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/usr");

/// Returns the search path of the tests: the host's packages first, then what was unpacked.
///
/// Not the caller's: another `docker` may come first there, which speaks to another daemon.
pub(super) fn search_path() -> String {
    format!("/usr/sbin:/usr/bin:/sbin:/bin:{UNPACKED}/sbin:{UNPACKED}/bin")
}

/// Returns the absolute path of a program.
#[track_caller]
pub(super) fn program(name: &str) -> PathBuf {
    let path = search_path();
    let mut places = path.split(':').map(|folder| Path::new(folder).join(name));
    let found = places.find(|place| place.is_file());
    found.unwrap_or_else(|| panic!("`{name}` is not on this host: run `.ci/packages.sh test`"))
}

/// Returns a command without input, in a process group of its own.
#[track_caller]
pub(crate) fn tool<S: AsRef<OsStr>>(name: &str, arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = member(name, arguments);
    command.process_group(0);
    command
}

/// Returns a command without input, in the process group of the caller.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "engines are tested as the commands that people use")]
pub(super) fn member<S: AsRef<OsStr>>(name: &str, arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(program(name));
    command.args(arguments).stdin(Stdio::null()).env("PATH", search_path());
    command
}

/// What a finished program said.
#[derive(Debug)]
pub(crate) struct Output {
    shown: String,
    status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    /// Asserts success.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        self.exits(0)
    }

    /// Asserts the exit status `expected`.
    #[track_caller]
    pub(crate) fn exits(self, expected: i32) -> Self {
        assert!(self.status.code() == Some(expected), "expected status {expected}\n{self}");
        self
    }

    /// Returns the exit status; a program that a signal ended has none.
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Returns standard output without the white space around it.
    pub(crate) fn text(&self) -> String {
        self.stdout.trim().to_owned()
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "$ {}\n{}", self.shown, self.status)?;
        write!(f, "--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr)
    }
}

/// Runs a command made by [`tool`] to its end, with its outputs in files of `directory`: what it leaves running may hold them
/// open.
///
/// Panics after [`LIMIT`], and ends its process group then.
#[track_caller]
pub(crate) fn run(mut command: Command, directory: &Path) -> Output {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let shown = shown(&command);
    let path = |output: &str| directory.join(format!("call-{number:03}.{output}"));
    let file = |output: &str| File::create(path(output)).expect("the test's directory is ours");
    let child = command.stdout(file("stdout")).stderr(file("stderr")).spawn();
    let mut child = child.unwrap_or_else(|error| panic!("run `{shown}`: {error}"));
    let status = wait(&mut child, &shown, LIMIT);
    let text = |output: &str| String::from_utf8_lossy(&fs::read(path(output)).unwrap_or_default()).into_owned();
    Output { shown, status, stdout: text("stdout"), stderr: text("stderr") }
}

/// Waits for a child that leads its process group; ends the group when that takes longer than `limit`.
#[track_caller]
pub(super) fn wait(child: &mut Child, shown: &str, limit: Duration) -> ExitStatus {
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        eventually(&format!("`{shown}` ends"), limit, || match child.try_wait() {
            Ok(Some(status)) => Ok(status),
            Ok(None) => Err("it is running".to_owned()),
            Err(error) => Err(error.to_string()),
        })
    }));
    ended.unwrap_or_else(|panic| {
        end(child);
        std::panic::resume_unwind(panic)
    })
}

/// Ends a child that leads its process group, and that group.
pub(super) fn end(child: &mut Child) {
    if child.try_wait().is_ok_and(|status| status.is_none()) {
        let _ = killpg(group(child), Signal::SIGKILL);
        let _ = child.wait();
    }
}

/// Returns the process group that a child leads.
pub(super) fn group(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("a pid fits"))
}

/// Returns a command as a shell would take it, more or less.
pub(super) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
