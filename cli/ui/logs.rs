//! Logs of one container or of many: prefixes in colors, streams kept apart.

use std::io::{self, Write};

use anstyle::{AnsiColor, Color, Style};
use lighter_engine::{LogEntry, Stream};

use crate::error::Failure;

/// Colors of prefixes, in the order in which services get them; red is kept for trouble.
const COLORS: [AnsiColor; 6] =
    [AnsiColor::Cyan, AnsiColor::Yellow, AnsiColor::Green, AnsiColor::Magenta, AnsiColor::Blue, AnsiColor::BrightCyan];

/// How lines of one container are shown.
#[derive(Debug, Clone)]
pub(crate) struct LinePrefix {
    text: String,
}

impl LinePrefix {
    /// No prefix: the container's own bytes on its own streams.
    pub(crate) fn none() -> Self {
        Self { text: String::new() }
    }

    /// `web-1  | `, as wide as the widest name, in the color of `index`.
    pub(crate) fn name(name: &str, width: usize, index: usize, color: bool) -> Self {
        let name = super::printable(name);
        let plain = format!("{name:<width$}  | ");
        if !color {
            return Self { text: plain };
        }
        let style = Style::new().fg_color(Some(Color::Ansi(COLORS[index % COLORS.len()])));
        Self { text: format!("{style}{plain}{style:#}") }
    }

    /// Writes an entry: to stdout, or without a prefix to the stream it came from.
    pub(crate) fn write(&self, entry: &LogEntry, timestamps: bool) -> Result<(), Failure> {
        let mut text = String::new();
        text.push_str(&self.text);
        if timestamps {
            text.push_str(&format!("{} ", entry.time));
        }
        text.push_str(&entry.log);
        if !self.text.is_empty() && !text.ends_with('\n') {
            text.push('\n'); // another container's line must not be glued on
        }
        let written = match entry.stream {
            Stream::Stderr if self.text.is_empty() => io::stderr().write_all(text.as_bytes()),
            _ => {
                let mut out = io::stdout().lock();
                out.write_all(text.as_bytes()).and_then(|()| out.flush())
            }
        };
        written.map_err(super::output_failure)
    }
}
