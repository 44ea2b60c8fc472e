//! Programs with their outputs in files: what `create` leaves running holds them open, so nobody may wait for their end.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use super::eventually;

/// Time a command may take; the slowest takes a tenth of it on a busy machine.
const LIMIT: Duration = Duration::from_secs(30);

/// Returns the command under test without arguments: the words of `LIGHTER_TEST_RUNTIME`, or the binary of this checkout.
pub(crate) fn runtime() -> Command {
    let words = std::env::var_os("LIGHTER_TEST_RUNTIME").and_then(|words| words.into_string().ok());
    let words = words.unwrap_or_else(|| concat!(env!("CARGO_BIN_EXE_lighter"), " runtime").to_owned());
    let mut words = words.split_whitespace();
    tool(words.next().expect("LIGHTER_TEST_RUNTIME names a program"), words)
}

/// Returns a command without input.
#[expect(clippy::disallowed_methods, reason = "the runtime is tested as the command that callers use")]
pub(crate) fn tool<S: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    command
}

/// What a finished program said.
#[derive(Debug)]
pub(crate) struct Output {
    shown: String,
    status: ExitStatus,
    stdout: PathBuf,
    pub(crate) stderr: String,
}

impl Output {
    /// Asserts success.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert!(self.status.success(), "expected success\n{self}");
        self
    }

    /// Asserts that the program itself ended with an error, not that a signal ended it.
    #[track_caller]
    pub(crate) fn fails(self) -> Self {
        assert!(self.status.code().is_some_and(|code| code != 0), "expected an error\n{self}");
        self
    }

    /// Asserts the exit status `expected`.
    #[track_caller]
    pub(crate) fn code(self, expected: i32) -> Self {
        assert!(self.status.code() == Some(expected), "expected status {expected}\n{self}");
        self
    }

    /// Asserts that standard error contains `part`.
    #[track_caller]
    pub(crate) fn says(self, part: &str) -> Self {
        assert!(self.stderr.contains(part), "expected `{part}` on standard error\n{self}");
        self
    }

    pub(crate) fn succeeded(&self) -> bool {
        self.status.success()
    }

    /// Returns what is on standard output by now, without the white space around it.
    pub(crate) fn text(&self) -> String {
        fs::read_to_string(&self.stdout).unwrap_or_default().trim().to_owned()
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "$ {}\n{}", self.shown, self.status)?;
        write!(f, "--- stdout\n{}\n--- stderr\n{}", self.text(), self.stderr)
    }
}

/// Runs `command` to its end, with its outputs in `name.stdout` and `name.stderr` of `directory`.
#[track_caller]
pub(crate) fn run(mut command: Command, directory: &Path, name: &str) -> Output {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let shown = words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ");
    let (stdout, stderr) = (directory.join(format!("{name}.stdout")), directory.join(format!("{name}.stderr")));
    let file = |path: &Path| File::create(path).expect("the test's directory is ours");
    let mut child = command.stdout(file(&stdout)).stderr(file(&stderr)).spawn().expect("the program can be run");
    let status = wait(&mut child, &shown);
    let stderr = fs::read(stderr).expect("the test's directory is ours");
    Output { shown, status, stdout, stderr: String::from_utf8_lossy(&stderr).into_owned() }
}

fn wait(child: &mut Child, shown: &str) -> ExitStatus {
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        eventually(&format!("`{shown}` ends"), LIMIT, || match child.try_wait() {
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
