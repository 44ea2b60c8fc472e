//! One call of another runtime: its command line, and what it says when it fails.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Command, Stdio as Redirection};

use super::console::Console;
use super::{Foreign, ForeignError};
use crate::durable::FileError;
use crate::exit_code;
use crate::runtime::launch::Stdio;
use crate::runtime::trace::{self, Effect};

/// Where a runtime finds the programs that it runs itself; our environment is none of its business, nor has a monitor one.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The streams that a runtime gets, and hands on to a process that it makes.
#[derive(Default)]
pub(super) struct Streams(Option<[OwnedFd; 3]>);

impl From<Stdio> for Streams {
    fn from(stdio: Stdio) -> Self {
        match stdio {
            Stdio::Fds { stdin, stdout, stderr } => Self(Some([stdin, stdout, stderr])),
            // a terminal comes by the console's socket
            _ => Self(None),
        }
    }
}

/// A call that is being put together, and made once; its files go with it.
pub(super) struct Call<'a> {
    container: &'a Foreign,
    verb: &'static str,
    command: Command,
    /// Beginning of the paths of its files, short enough for a socket (unix(7)) below `/run/lighter`.
    stem: String,
    last: Option<String>,
}

impl<'a> Call<'a> {
    pub(super) fn new(container: &'a Foreign, verb: &'static str) -> Result<Self, FileError> {
        let directory = container.paths.run();
        let number = crate::id::random().map_err(FileError::io("read random numbers for", directory))?;
        let stem = format!("{}/x-{}", directory.display(), &number[..8]);
        #[expect(clippy::disallowed_methods, reason = "another runtime is what was asked for")]
        let mut command = Command::new(&container.runtime.path);
        command.args(&container.runtime.args).arg("--root").arg(container.paths.oci_state());
        command.args(["--log", &format!("{stem}.log"), "--log-format", "json", verb]);
        command.env_clear().env("PATH", PATH).current_dir(directory);
        Ok(Self { container, verb, command, stem, last: None })
    }

    /// Returns the path of a file of this call, which goes with it.
    pub(super) fn file(&self, extension: &str) -> PathBuf {
        PathBuf::from(format!("{}.{extension}", self.stem))
    }

    pub(super) fn args(&mut self, words: impl IntoIterator<Item = impl AsRef<OsStr>>) {
        self.command.args(words);
    }

    /// Adds what comes behind the container's id.
    pub(super) fn after_id(&mut self, word: String) {
        self.last = Some(word);
    }

    /// Has the terminal sent to `console`, if there is to be one.
    pub(super) fn console(&mut self, console: Option<&Console>) {
        if let Some(console) = console {
            self.command.arg("--console-socket").arg(console.path());
        }
    }

    /// Runs the runtime and waits for its end; `program` is what the container was to execute.
    pub(super) fn run(&mut self, streams: Streams, program: &str) -> Result<(), ForeignError> {
        self.command.arg(&self.container.id).args(&self.last);
        self.redirect(streams);
        let effect = self.effect();
        let status = trace::step(|| effect, || self.command.status());
        let runtime = &self.container.runtime;
        let (name, path) = (runtime.name.clone(), runtime.path.clone());
        let status = status.map_err(|source| ForeignError::Program { name: name.clone(), path, source })?;
        if status.success() {
            return Ok(());
        }
        let message = last_error(&fs::read(self.file("log")).unwrap_or_default()).unwrap_or_else(|| status.to_string());
        let exit_code = exit_code_of(&message, program);
        Err(ForeignError::Refused { name, verb: self.verb, message, exit_code })
    }

    fn effect(&self) -> Effect {
        let word = |word: &OsStr| word.to_string_lossy().into_owned();
        Effect::Spawn { program: word(self.command.get_program()), args: self.command.get_args().map(word).collect() }
    }

    fn redirect(&mut self, streams: Streams) {
        match streams.0 {
            Some([stdin, stdout, stderr]) => self.command.stdin(stdin).stdout(stdout).stderr(stderr),
            None => self.command.stdin(Redirection::null()).stdout(Redirection::null()).stderr(Redirection::null()),
        };
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        for extension in ["log", "pid", "json", "s"] {
            let _ = fs::remove_file(self.file(extension)); // most calls have few of them; what stays goes with the directory
        }
    }
}

/// Finds the last error in a runtime's log: JSON lines with `level` and `msg`, or the last line of one that writes no JSON.
fn last_error(log: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(log);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let message = |line: &&str| {
        let value: serde_json::Value = serde_json::from_str(line).ok()?;
        let is_error = value["level"].as_str().is_none_or(|level| matches!(level, "error" | "fatal"));
        value["msg"].as_str().filter(|_| is_error).map(str::to_owned)
    };
    let found = lines.iter().rev().find_map(message).or_else(|| lines.last().map(|line| (*line).to_owned()));
    found.map(|message| message.trim().to_owned())
}

/// Tells a program that was not found from one that cannot be invoked, by what the runtime says of it: it has no other way.
fn exit_code_of(message: &str, program: &str) -> i32 {
    let message = message.to_lowercase();
    let says = |text: &str| message.contains(text);
    if program.is_empty() || !says(&program.to_lowercase()) {
        return exit_code::OURS;
    }
    if says("not found in $path") || says("no such file or directory") || says("executable file not found") {
        return exit_code::NOT_FOUND;
    }
    if says("permission denied") || says("is a directory") || says("exec format error") {
        return exit_code::NOT_INVOCABLE;
    }
    exit_code::OURS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_error_of_a_log_is_what_went_wrong() {
        let log = "{\"level\":\"warning\",\"msg\":\"old\"}\n{\"level\":\"error\",\"msg\":\"bad\"}\n{\"level\":\"info\",\"msg\":\"x\"}\n";
        assert_eq!(last_error(log.as_bytes()).as_deref(), Some("bad"));
        assert_eq!(last_error(b"plain\nlast line\n\n").as_deref(), Some("last line"));
        assert_eq!(last_error(b""), None);
    }

    #[test]
    fn a_program_that_is_missing_is_told_from_other_failures() {
        let codes = [
            ("exec: \"nope\": executable file not found in $PATH", 127),
            ("executable file `nope` not found in $PATH: No such file or directory", 127),
            ("exec: \"nope\": permission denied", 126),
            ("open /sys/fs/cgroup/x: no such file or directory", 125),
        ];
        for (message, code) in codes {
            assert_eq!(exit_code_of(message, "nope"), code, "{message}");
        }
    }

    proptest! {
        #[test]
        fn no_log_makes_it_fail(log in prop::collection::vec(any::<u8>(), 0..200), program in ".{0,8}") {
            if let Some(message) = last_error(&log) {
                exit_code_of(&message, &program);
            }
        }

        #[test]
        fn no_json_makes_it_fail(level in ".*", message in ".*") {
            let line = serde_json::json!({"level": level, "msg": message}).to_string();
            prop_assert!(last_error(line.as_bytes()).is_some());
        }
    }
}
