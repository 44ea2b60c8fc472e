//! What is said about a place in a compose file: data for the drawing at the edge, never drawn here.
//!
//! Runs in the command. A [`Span`] keeps its text alive, so a diagnostic can be drawn long after loading, also by a plan
//! or an apply that fails on something the file asked for.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// One file as it was read, shared by every span into it.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceText {
    /// The absolute path, or `-` for standard input.
    pub path: PathBuf,
    /// The whole text, without a byte order mark.
    pub text: String,
}

/// A range of bytes in one file.
#[derive(Clone, PartialEq, Eq)]
pub struct Span {
    file: Arc<SourceText>,
    range: Range<usize>,
}

/// A place as people count: both numbers start at 1, columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl Span {
    /// Returns the span of the bytes `range` of `file`; the range is cut to the text.
    pub fn new(file: Arc<SourceText>, range: Range<usize>) -> Self {
        let end = range.end.min(file.text.len());
        let start = range.start.min(end);
        Self { file, range: start..end }
    }

    /// Returns the file the span points into.
    pub fn file(&self) -> &SourceText {
        &self.file
    }

    /// Returns a share of the file, for a narrower span.
    pub(crate) fn shared_file(&self) -> Arc<SourceText> {
        self.file.clone()
    }

    /// Returns the bytes of the text it covers, as `annotate-snippets` wants them.
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// Returns line and column of the first character.
    pub fn position(&self) -> Position {
        let before = self.file.text.as_bytes().get(..self.range.start).unwrap_or_default();
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        // Counting the bytes that begin a character holds even where the span starts inside one.
        let column = before[line_start..].iter().filter(|byte| (**byte & 0xC0) != 0x80).count() + 1;
        Position { line: before.iter().filter(|byte| **byte == b'\n').count() + 1, column }
    }
}

/// `path:line:column`
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.position();
        write!(f, "{}:{line}:{column}", self.file.path.display())
    }
}

/// Without the text, which would drown everything else.
impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Span({self}+{})", self.range.len())
    }
}

/// Whether a diagnostic stops the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The command cannot go on.
    Error,
    /// The command goes on.
    Warning,
}

/// A span and what to write under it; the text may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// What is to be said there, in a few words.
    pub text: String,
}

/// One message, the places it is about, and what may help.
///
/// The first label is the main one; the others give context ("first given here").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether it stops the command.
    pub severity: Severity,
    /// The message, lower case, without a full stop.
    pub message: String,
    /// The places, the main one first; empty when no file is concerned.
    pub labels: Vec<Label>,
    /// What may help, one line each.
    pub hints: Vec<String>,
}

impl Diagnostic {
    /// Starts an error without a place.
    pub fn error(message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, message: message.into(), labels: Vec::new(), hints: Vec::new() }
    }

    /// Starts a warning without a place.
    pub fn warning(message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(message) }
    }

    /// Adds a place without words.
    #[must_use]
    pub fn at(self, span: &Span) -> Self {
        self.label(span, "")
    }

    /// Adds a place with words.
    #[must_use]
    pub fn label(mut self, span: &Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span: span.clone(), text: text.into() });
        self
    }

    /// Adds a line that may help.
    #[must_use]
    pub fn hint(mut self, text: impl Into<String>) -> Self {
        self.hints.push(text.into());
        self
    }
}

/// `path:line:column: message (hint)`, for logs and tests; the command draws the excerpt instead.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(main) = self.labels.first() {
            write!(f, "{}: ", main.span)?;
        }
        write!(f, "{}", self.message)?;
        self.hints.iter().try_for_each(|hint| write!(f, " ({hint})"))
    }
}

impl std::error::Error for Diagnostic {}

/// The error of every stage that works on text: small to return, whole to draw.
pub(crate) type Fault = Box<Diagnostic>;

/// Faults shown at most; a file with more has one cause, and a hostile one has any number.
const MOST: usize = 50;

/// Everything that one stage found wrong, in the order of the text; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(Vec<Diagnostic>);

impl Faults {
    /// Returns an error unless nothing was found wrong.
    pub(crate) fn of(mut found: Vec<Diagnostic>) -> Result<(), Self> {
        if found.is_empty() {
            return Ok(());
        }
        let more = found.len().saturating_sub(MOST);
        if more > 0 {
            found.truncate(MOST);
            found.push(Diagnostic::error(format!("and {more} more")));
        }
        Err(Self(found))
    }

    /// Returns the faults, each changed by `change`.
    pub(crate) fn each(mut self, change: impl FnMut(&mut Diagnostic)) -> Self {
        self.0.iter_mut().for_each(change);
        self
    }

    /// Returns the faults.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.0
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Self(vec![*fault])
    }
}

/// One line for each.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Arc<SourceText> {
        Arc::new(SourceText { path: PathBuf::from("compose.yaml"), text: text.to_owned() })
    }

    #[test]
    fn a_position_counts_lines_and_characters_from_one() {
        let file = text("a: é\nb: çok\n");
        let position = |start| Span::new(file.clone(), start..start + 1).position();
        assert_eq!(position(0), Position { line: 1, column: 1 });
        assert_eq!(position(6), Position { line: 2, column: 1 });
        assert_eq!(position(11), Position { line: 2, column: 5 });
    }

    #[test]
    fn a_span_beyond_the_text_is_cut() {
        let span = Span::new(text("ab"), 5..9);
        assert_eq!((span.range(), span.to_string()), (2..2, "compose.yaml:1:3".to_owned()));
    }

    #[test]
    fn a_diagnostic_reads_as_one_line() {
        let span = Span::new(text("services: {}\n"), 0..8);
        let diagnostic = Diagnostic::error("unknown key `x`").at(&span).hint("did you mean `y`?");
        assert_eq!(diagnostic.to_string(), "compose.yaml:1:1: unknown key `x` (did you mean `y`?)");
    }
}
