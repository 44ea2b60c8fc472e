//! What engines read instead of standard error: a line for each error and warning (`--log`, `--log-format`).

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use jiff::Timestamp;
use serde_json::json;

use crate::error::Failure;

/// Formats of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum LogFormat {
    /// `time="…" level=error msg="…"`
    Text,
    /// `{"level":"error","msg":"…","time":"…"}`
    Json,
}

/// The log of one call.
pub(super) struct Log {
    path: Option<PathBuf>,
    format: LogFormat,
    debug: bool,
}

impl Log {
    pub(super) fn new(path: Option<PathBuf>, format: LogFormat, debug: bool) -> Self {
        Self { path, format, debug }
    }

    /// Says what only those want to know who look for a fault.
    pub(super) fn debug(&self, text: &str) {
        if self.debug {
            self.append("debug", text);
        }
    }

    /// Says why the call failed.
    pub(super) fn fail(&self, failure: &Failure) {
        let text = failure.to_string();
        if !text.is_empty() {
            self.append("error", &text);
        }
        failure.print(false);
    }

    /// Says what could not be done in full: in the log if there is one, as an engine passes standard error on to its user.
    pub(super) fn warn(&self, text: &str) {
        if self.path.is_some() {
            return self.append("warning", text);
        }
        // stderr itself may be gone: then there is nobody to tell
        let _ = writeln!(std::io::stderr(), "warning: {}", crate::ui::printable(text));
    }

    fn append(&self, level: &str, text: &str) {
        let Some(path) = &self.path else { return };
        let line = line(self.format, level, text, &Timestamp::now().to_string());
        // One write, so that lines of calls at the same time stay whole; what cannot be logged is on standard error.
        let opened = OpenOptions::new().append(true).create(true).open(path);
        let _ = opened.and_then(|mut file| file.write_all(line.as_bytes()));
    }
}

fn line(format: LogFormat, level: &str, text: &str, time: &str) -> String {
    match format {
        LogFormat::Json => format!("{}\n", json!({"level": level, "msg": text, "time": time})),
        LogFormat::Text => format!("time=\"{time}\" level={level} msg={text:?}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_whatever_it_says() {
        let text = "run `a`: \"b\"\n";
        let json = line(LogFormat::Json, "error", text, "now");
        assert_eq!(json, "{\"level\":\"error\",\"msg\":\"run `a`: \\\"b\\\"\\n\",\"time\":\"now\"}\n");
        let plain = line(LogFormat::Text, "error", text, "now");
        assert_eq!(plain, "time=\"now\" level=error msg=\"run `a`: \\\"b\\\"\\n\"\n");
    }
}
