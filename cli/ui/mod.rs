//! What the user sees: tables, logs, progress, excerpts.

pub(crate) mod build_progress;
pub(crate) mod confirm;
pub(crate) mod diagnostics;
pub(crate) mod format;
pub(crate) mod help;
pub(crate) mod logs;
pub(crate) mod progress;
pub(crate) mod prompt;
pub(crate) mod quantity;
pub(crate) mod steps;
pub(crate) mod table;

use std::io::{self, IsTerminal, Write};

use crate::error::{BROKEN_PIPE, Failure};

/// The terminal, or whatever stands in its place.
pub(crate) struct Ui {
    pub(crate) color: bool,
    /// stderr is a terminal, so progress can be drawn.
    pub(crate) interactive: bool,
}

impl Ui {
    pub(crate) fn new(color: bool) -> Self {
        Self { color, interactive: io::stderr().is_terminal() }
    }

    /// Writes a line to stdout; a reader that has gone ends the program as SIGPIPE would.
    pub(crate) fn line(&self, text: impl AsRef<str>) -> Result<(), Failure> {
        self.write(format!("{}\n", text.as_ref()).as_bytes())
    }

    /// Writes bytes to stdout.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        out.write_all(bytes).and_then(|()| out.flush()).map_err(output_failure)
    }

    /// Says something beside the output: on stderr.
    pub(crate) fn note(&self, text: impl AsRef<str>) {
        let _ = writeln!(io::stderr().lock(), "{}", printable(text.as_ref()));
    }

    /// Writes text that is ready for the terminal to stderr.
    pub(crate) fn explain(&self, text: &str) {
        let _ = io::stderr().lock().write_all(text.as_bytes()); // nobody to tell that telling failed
    }

    /// Says what did not go quite as asked.
    pub(crate) fn warn(&self, text: impl AsRef<str>) {
        self.note(format!("warning: {}", text.as_ref()));
    }
}

pub(crate) fn output_failure(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::silent(BROKEN_PIPE),
        _ => Failure::text(format!("write the output: {error}")),
    }
}

/// Returns the text with control characters made visible, so that no name or label can steer the terminal.
pub(crate) fn printable(text: &str) -> String {
    let is_harmful = |c: char| {
        (c.is_control() && c != '\n' && c != '\t') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if is_harmful(c) { c.escape_unicode().to_string() } else { c.to_string() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_are_shown_not_sent() {
        assert_eq!(printable("a\x1b]0;x\x07b\r"), "a\\u{1b}]0;x\\u{7}b\\u{d}");
        assert_eq!(printable("tab\tand\nline ä"), "tab\tand\nline ä");
    }
}
