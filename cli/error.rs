//! How a failure becomes text and an exit code. Source excerpts are drawn here, hints are added here.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

use lighter_engine::exit_code;

use crate::ui::diagnostics;

/// Exit code of any failure of ours.
pub(crate) const FAILED: u8 = 1;
/// Exit code after Ctrl-C.
pub(crate) const INTERRUPTED: u8 = 130;
/// Exit code when nobody reads our output any more: 128 + SIGPIPE, as of any other program in a pipeline.
pub(crate) const BROKEN_PIPE: u8 = 141;

/// A verb that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    body: Body,
    hints: Vec<String>,
}

#[derive(Debug)]
enum Body {
    /// Said already, or not worth a word.
    Silent,
    Text(String),
    Diagnostics(Vec<lighter_compose::Diagnostic>),
}

impl Failure {
    /// A failure with nothing behind it.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self { code: FAILED, body: Body::Text(text.into()), hints: Vec::new() }
    }

    /// Ends with this code without a word: everything has been said.
    pub(crate) fn silent(code: u8) -> Self {
        Self { code, body: Body::Silent, hints: Vec::new() }
    }

    /// Faults of the user's file, drawn with the lines they are in.
    pub(crate) fn diagnostics(diagnostics: Vec<lighter_compose::Diagnostic>) -> Self {
        Self { code: FAILED, body: Body::Diagnostics(diagnostics), hints: Vec::new() }
    }

    /// Replaces the exit code.
    pub(crate) fn with_code(self, code: i32) -> Self {
        Self { code: u8::try_from(code).unwrap_or(FAILED), ..self }
    }

    /// Adds what the user may do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }

    /// Writes the failure to stderr.
    pub(crate) fn print(&self, color: bool) {
        use std::io::Write;
        let mut err = std::io::stderr().lock();
        // stderr itself may be gone: then there is nobody to tell
        let _ = match &self.body {
            Body::Silent => Ok(()),
            Body::Text(text) => writeln!(err, "lighter: {}", crate::ui::printable(text)),
            Body::Diagnostics(all) => {
                all.iter().try_for_each(|one| writeln!(err, "{}", diagnostics::render(one, color)))
            }
        };
        for hint in &self.hints {
            let _ = writeln!(err, "hint: {}", crate::ui::printable(hint));
        }
    }
}

impl Failure {
    /// Writes the failure to stderr as docker compose does beside steps in JSON.
    pub(crate) fn print_json(&self) {
        use std::io::Write;
        if !matches!(self.body, Body::Silent) {
            let object = serde_json::json!({"error": true, "message": self.to_string()});
            let _ = writeln!(std::io::stderr().lock(), "{object}"); // nobody to tell that telling failed
        }
    }
}

impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let text = chain(&error);
        let hints = hints_for(&text);
        Self { code: FAILED, body: Body::Text(text), hints }
    }
}

/// A failure of `run` itself, not of the command it runs.
pub(crate) fn ours(failure: Failure) -> Failure {
    failure.with_code(exit_code::OURS)
}

/// Returns the error and its causes, joined by `: `.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut last = text.clone();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // a transparent error says what its source says
        if next != last && !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        last = next;
        cause = error.source();
    }
    text
}

fn hints_for(text: &str) -> Vec<String> {
    const HINTS: [(&str, &str); 10] = [
        (
            "spec.json`: damaged",
            "`lighter ps --all` shows whose record that is; `lighter rm --force` removes the container",
        ),
        ("mount overlay", "overlayfs needs its module, and a file system for --root that it can write to"),
        (
            "map the ids of",
            "users of a container's own need Linux 5.19, and file systems whose ids can be mapped: ext4, xfs, btrfs, tmpfs",
        ),
        (
            "it is a part of lighter's own",
            "use an init of the image's as its entrypoint, tini say, or leave the runtime out",
        ),
        (
            "the host's mount `",
            "what is mounted on a host travels only where that is allowed: mount --make-rshared of that mount, or leave the propagation out",
        ),
        ("is in use by container", "remove that container, or choose another name"),
        ("none is free in the pools", "remove networks that no container is on: lighter network prune"),
        ("nobody is logged in there", "say who you are, as the same user: lighter login REGISTRY"),
        (
            "UnknownIssuer",
            "say which authority to trust: `ca` of the registry in /etc/lighter/config.toml, or /etc/docker/certs.d/HOST/ca.crt",
        ),
        ("verification time", "is the time of this host right, and the registry's certificate still good?"),
    ];
    let fitting = HINTS.iter().filter(|(part, _)| text.contains(part));
    fitting.map(|(_, hint)| (*hint).to_owned()).collect()
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.body {
            Body::Silent => Ok(()),
            Body::Text(text) => f.write_str(text),
            Body::Diagnostics(all) => f.write_str(&all.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
        }
    }
}
