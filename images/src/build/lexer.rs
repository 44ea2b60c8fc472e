//! From the text of a Dockerfile to its logical lines: parser directives, comments, continuations, here-documents.
//!
//! Runs in the shell command's process; pure. Dockerfile reference, "Format", "Parser directives", "Here-documents".

use super::expand::{Expander, Quotes};
use super::fault::{Fault, Problem};

/// The directives that mean something (Dockerfile reference, "Parser directives").
const DIRECTIVES: [&str; 3] = ["syntax", "escape", "check"];

/// The instructions that a here-document may follow.
const WITH_HEREDOCS: [&str; 3] = ["ADD", "COPY", "RUN"];

/// A Dockerfile, line by line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lexed {
    /// What continues a line and takes a character's meaning away: `\` or `` ` ``.
    pub(crate) escape: char,
    /// `# syntax=`, which is accepted and means nothing: there is one front end.
    pub(crate) syntax: Option<String>,
    /// `# check=`, as it stands there.
    pub(crate) check: Option<String>,
    /// The instructions.
    pub(crate) lines: Vec<Line>,
}

/// One instruction, joined from the lines it stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// First line in the file, from 1.
    pub(crate) number: usize,
    /// The instruction's name as it stands there.
    pub(crate) name: String,
    /// Everything after it, trimmed.
    pub(crate) rest: String,
    /// The here-documents that follow.
    pub(crate) heredocs: Vec<Heredoc>,
    /// An empty line stands within a continuation.
    pub(crate) has_empty_continuation: bool,
}

/// Lines up to one that is the name alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heredoc {
    /// The line that ends it.
    pub(crate) name: String,
    /// What is between, with newlines.
    pub(crate) content: String,
    /// Whether variables in it are expanded: no part of the name is quoted.
    pub(crate) is_expanded: bool,
    /// `<<-`: tabs at the beginning of a line do not count.
    pub(crate) strips_tabs: bool,
    /// The number before `<<`, which a shell may want; empty if there is none.
    pub(crate) descriptor: String,
}

/// Splits a Dockerfile.
///
/// # Errors
/// [`Fault`]: a directive that is refused, a here-document without an end, a file without instructions.
pub(crate) fn lex(text: &str) -> Result<Lexed, Fault> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lexed = Lexed { escape: '\\', syntax: None, check: None, lines: Vec::new() };
    directives(text, &mut lexed)?;
    let mut lines = Lines { lines: text.split_inclusive('\n').collect(), next: 0 };
    while let Some(line) = lines.instruction(lexed.escape)? {
        lexed.lines.push(line);
    }
    if lexed.lines.is_empty() { Err(Problem::Empty.at(1)) } else { Ok(lexed) }
}

/// Reads the directives, which end with the first line that is none.
fn directives(text: &str, lexed: &mut Lexed) -> Result<(), Fault> {
    let mut seen = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let Some((name, value)) = directive(line) else { return Ok(()) };
        let refused = |why| Problem::Directive { name: name.clone(), why }.at(index + 1);
        if seen.contains(&name) {
            return Err(refused("it may stand there once only"));
        }
        match name.as_str() {
            "syntax" => lexed.syntax = Some(value.to_owned()),
            "check" => lexed.check = Some(value.to_owned()),
            _ => {
                lexed.escape = match value {
                    "\\" => '\\',
                    "`" => '`',
                    _ => return Err(refused("the escape character is `\\` or a backquote")),
                }
            }
        }
        seen.push(name);
    }
    Ok(())
}

/// Reads `# name=value` with a name that is known.
fn directive(line: &str) -> Option<(String, &str)> {
    let (name, value) = line.strip_prefix('#')?.split_once('=')?;
    let name = name.trim().to_ascii_lowercase();
    (DIRECTIVES.contains(&name.as_str()) && !value.trim().is_empty()).then_some((name, value.trim()))
}

struct Lines<'a> {
    /// With their ends.
    lines: Vec<&'a str>,
    next: usize,
}

impl Lines<'_> {
    /// Reads the next instruction with its continuations and here-documents.
    fn instruction(&mut self, escape: char) -> Result<Option<Line>, Fault> {
        let Some(number) = self.skip() else { return Ok(None) };
        let mut text = String::new();
        let mut has_empty_continuation = false;
        while let Some(raw) = self.lines.get(self.next) {
            let line = without_end(raw);
            self.next += 1;
            let is_first = text.is_empty();
            if !is_first && is_comment(line) {
                continue;
            }
            if !is_first && line.trim().is_empty() {
                has_empty_continuation = true;
                continue;
            }
            let line = if is_first { line.trim_start() } else { line };
            match continued(line, escape) {
                Some(begun) => text.push_str(begun),
                None => {
                    text.push_str(line);
                    break;
                }
            }
        }
        let (name, rest) = split(&text);
        let heredocs = self.heredocs(&name, &rest, escape, number)?;
        Ok(Some(Line { number, name, rest, heredocs, has_empty_continuation }))
    }

    /// Goes to the first line that is neither empty nor a comment; returns its number.
    fn skip(&mut self) -> Option<usize> {
        while let Some(line) = self.lines.get(self.next) {
            if !line.trim().is_empty() && !is_comment(line) {
                return Some(self.next + 1);
            }
            self.next += 1;
        }
        None
    }

    fn heredocs(&mut self, name: &str, rest: &str, escape: char, number: usize) -> Result<Vec<Heredoc>, Fault> {
        if !may_have_heredocs(name, rest) {
            return Ok(Vec::new());
        }
        let mut heredocs = heredoc_marks(rest, escape);
        for heredoc in &mut heredocs {
            self.content(heredoc).map_err(|problem| problem.at(number))?;
        }
        Ok(heredocs)
    }

    fn content(&mut self, heredoc: &mut Heredoc) -> Result<(), Problem> {
        while let Some(raw) = self.lines.get(self.next) {
            self.next += 1;
            let line = if heredoc.strips_tabs { raw.trim_start_matches('\t') } else { raw };
            if without_end(line) == heredoc.name {
                return Ok(());
            }
            heredoc.content.push_str(line);
        }
        Err(Problem::Heredoc(heredoc.name.clone()))
    }
}

fn without_end(line: &str) -> &str {
    line.trim_end_matches(['\r', '\n'])
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

/// Returns the line without its continuation mark; `None` if it is complete.
///
/// The mark is the last character that is no blank, unless another one before it takes its meaning away.
fn continued(line: &str, escape: char) -> Option<&str> {
    let begun = line.trim_end_matches([' ', '\t']).strip_suffix(escape)?;
    (!begun.ends_with(escape)).then_some(begun)
}

/// Splits an instruction's name off.
fn split(text: &str) -> (String, String) {
    let text = text.trim();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (text[..end].to_owned(), text[end..].trim().to_owned())
}

fn may_have_heredocs(name: &str, rest: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    if upper == "ONBUILD" {
        let (inner, rest) = split(rest);
        return may_have_heredocs(&inner, &rest);
    }
    WITH_HEREDOCS.contains(&upper.as_str()) && !super::words::is_json_list(rest)
}

/// Finds the words `<<NAME` and what they say, without content yet.
pub(crate) fn heredoc_marks(rest: &str, escape: char) -> Vec<Heredoc> {
    let none = |_: &str| None;
    let words = Expander { escape, quotes: Quotes::Kept, keeps_unset: true, variable: &none }.words(rest);
    // A line that is no list of words has no here-documents either; whoever parses it says why.
    words.unwrap_or_default().iter().filter_map(|word| heredoc_mark(word, escape)).collect()
}

/// Reads one word `[number]<<[-]NAME`.
fn heredoc_mark(word: &str, escape: char) -> Option<Heredoc> {
    let (descriptor, rest) = word.split_once("<<")?;
    if !descriptor.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (strips_tabs, rest) = rest.strip_prefix('-').map_or((false, rest), |rest| (true, rest));
    if rest.is_empty() || rest.contains('<') {
        return None;
    }
    let none = |_: &str| None;
    let plain = Expander { escape, quotes: Quotes::Removed, keeps_unset: true, variable: &none };
    let words = plain.words(rest).ok()?;
    let [name] = &words[..] else { return None };
    let (name, is_expanded, descriptor) = (name.clone(), name == rest, descriptor.to_owned());
    Some(Heredoc { name, content: String::new(), is_expanded, strips_tabs, descriptor })
}

#[cfg(test)]
#[path = "lexer_tests.rs"]
mod tests;
