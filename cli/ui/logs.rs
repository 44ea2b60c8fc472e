//! Logs of one container or of many: prefixes in colors, streams kept apart, and no line that steers the terminal.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};

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
    /// What stands between the time and the line.
    details: String,
    /// Whether our output is a terminal, which the lines must not steer.
    on_terminal: bool,
}

impl LinePrefix {
    /// No prefix: the container's own bytes on its own streams.
    pub(crate) fn none() -> Self {
        Self { text: String::new(), details: String::new(), on_terminal: io::stdout().is_terminal() }
    }

    /// No prefix, but what `logs --details` shows: `a=1,b=2` and a blank, encoded as docker does, as in a query of a URL.
    pub(crate) fn details(details: &BTreeMap<String, String>) -> Self {
        let pairs = details.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
        Self { details: format!("{} ", pairs.collect::<Vec<_>>().join(",")), ..Self::none() }
    }

    /// `web-1  | `, as wide as the widest name, in the color of `index`.
    pub(crate) fn name(name: &str, width: usize, index: usize, color: bool) -> Self {
        let name = super::printable(name);
        let plain = format!("{name:<width$}  | ");
        if !color {
            return Self { text: plain, ..Self::none() };
        }
        let style = Style::new().fg_color(Some(Color::Ansi(COLORS[index % COLORS.len()])));
        Self { text: format!("{style}{plain}{style:#}"), ..Self::none() }
    }

    /// Writes an entry: to stdout, or without a prefix to the stream it came from.
    pub(crate) fn write(&self, entry: &LogEntry, timestamps: bool) -> Result<(), Failure> {
        let text = self.line(entry, timestamps);
        let written = match entry.stream {
            Stream::Stderr if self.text.is_empty() => io::stderr().write_all(&text),
            _ => {
                let mut out = io::stdout().lock();
                out.write_all(&text).and_then(|()| out.flush())
            }
        };
        written.map_err(super::output_failure)
    }

    fn line(&self, entry: &LogEntry, timestamps: bool) -> Vec<u8> {
        let mut begin = self.text.clone();
        if timestamps {
            begin.push_str(&format!("{} ", entry.time));
        }
        begin.push_str(&self.details);
        let mut line = begin.clone().into_bytes();
        if self.on_terminal {
            tame(&entry.text(), &begin, &mut line);
        } else {
            line.extend_from_slice(&entry.bytes);
        }
        if !self.text.is_empty() && !line.ends_with(b"\n") {
            line.push(b'\n'); // another container's line must not be glued on
        }
        line
    }
}

/// Encodes a word for the query of a URL, where a blank is a plus.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let one = |byte: u8| match byte {
        b' ' => "+".to_owned(),
        byte if plain(byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

/// Appends a line so that it stays a line: colors and tabs pass, a carriage return goes back behind `begin`, and every other
/// control character is shown instead of sent.
fn tame(text: &str, begin: &str, out: &mut Vec<u8>) {
    let (body, end) = match text.strip_suffix('\n') {
        Some(body) => (body.strip_suffix('\r').unwrap_or(body), "\n"),
        None => (text, ""),
    };
    let mut is_colored = false;
    let mut rest = body;
    while let Some(c) = rest.chars().next() {
        if let Some(length) = color_sequence(rest) {
            out.extend_from_slice(&rest.as_bytes()[..length]);
            rest = &rest[length..];
            is_colored = true;
            continue;
        }
        match c {
            '\r' => {
                out.push(b'\r');
                out.extend_from_slice(begin.as_bytes());
            }
            '\t' => out.push(b'\t'),
            _ => out.extend_from_slice(super::printable(&rest[..c.len_utf8()]).as_bytes()),
        }
        rest = &rest[c.len_utf8()..];
    }
    if is_colored {
        out.extend_from_slice(b"\x1b[0m"); // the next line is not this one's to color
    }
    out.extend_from_slice(end.as_bytes());
}

/// Returns the length of the Select Graphic Rendition at the beginning of `text` (ECMA-48, 8.3.117), if there is one.
fn color_sequence(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\u{1b}[")?;
    let length = parameters.find(|c: char| !c.is_ascii_digit() && c != ';' && c != ':')?;
    parameters[length..].starts_with('m').then_some(length + 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tamed(text: &str) -> String {
        let mut out = Vec::new();
        tame(text, "web | ", &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn colors_pass_and_end_with_their_line() {
        assert_eq!(tamed("\u{1b}[1;31mred\tx\r\n"), "\u{1b}[1;31mred\tx\u{1b}[0m\n");
    }

    #[test]
    fn nothing_moves_the_cursor_out_of_the_line() {
        assert_eq!(tamed("50%\r99%"), "50%\rweb | 99%");
        for steering in ["\u{1b}[2J", "\u{1b}[1A", "\u{1b}]0;title\u{7}", "\u{8}\u{8}", "\u{9b}2J", "\u{1b}[31", "a\nb"]
        {
            let shown = tamed(steering);
            assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{8}', '\u{9b}']), "{shown:?}");
        }
    }

    #[test]
    fn details_are_encoded_and_stand_before_the_line() {
        let details = [("a b", "ü"), ("level", "low")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let entry = LogEntry { bytes: b"x".to_vec(), stream: Stream::Stdout, time: jiff::Timestamp::UNIX_EPOCH };
        let prefix = |details| LinePrefix { on_terminal: false, ..LinePrefix::details(&details) };
        assert_eq!(prefix(details.into()).line(&entry, true), b"1970-01-01T00:00:00Z a+b=%C3%BC,level=low x");
        assert_eq!(prefix(BTreeMap::new()).line(&entry, false), b" x");
    }

    #[test]
    fn a_pipe_gets_the_bytes_as_they_are() {
        let prefix = LinePrefix { on_terminal: false, ..LinePrefix::none() };
        let entry =
            LogEntry { bytes: b"\xff\x1b[2J".to_vec(), stream: Stream::Stdout, time: jiff::Timestamp::UNIX_EPOCH };
        assert_eq!(prefix.line(&entry, false), b"\xff\x1b[2J");
    }
}
