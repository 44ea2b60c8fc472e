//! Environment files: `.env`, `--env-file`, `env_file` and `label_file`, in the dialect of Docker Compose.
//!
//! Runs in the command; pure. `KEY=value`, `KEY: value`, `export KEY=value`, a bare `KEY` that inherits, comments, single
//! quotes (literal), double quotes (escapes and variables), both over several lines, variables in unquoted values.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Fault, SourceText, Span};
use crate::interpolate::{Scope, interpolate_text};

/// How an environment file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Format {
    /// The dialect of Docker Compose.
    #[default]
    Compose,
    /// `format: raw`, the dialect of `docker run --env-file`: no quotes, no variables.
    Raw,
}

/// Reads `file`; a later key wins. `outer` are variables that win over the file's own in expansions, and give bare keys
/// their values; a bare key they lack is left out.
///
/// # Errors
/// A line that is no assignment, an unfinished quote, a malformed or missing variable.
pub(crate) fn read(
    file: &Arc<SourceText>,
    format: Format,
    outer: &BTreeMap<String, String>,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Vec<(String, String)>, Fault> {
    let mut reader = Reader { file, rest: 0, outer, seen: outer.clone(), warnings, pairs: Vec::new() };
    match format {
        Format::Compose => reader.compose()?,
        Format::Raw => reader.raw()?,
    }
    Ok(reader.pairs)
}

struct Reader<'a> {
    file: &'a Arc<SourceText>,
    /// Offset of what has not been read.
    rest: usize,
    outer: &'a BTreeMap<String, String>,
    /// What expansions see: the file so far, under `outer`.
    seen: BTreeMap<String, String>,
    warnings: &'a mut Vec<Diagnostic>,
    pairs: Vec<(String, String)>,
}

impl<'a> Reader<'a> {
    fn text(&self) -> &'a str {
        &self.file.text[self.rest..]
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.file.clone(), start..end)
    }

    fn compose(&mut self) -> Result<(), Fault> {
        while self.skip_to_statement() {
            self.statement()?;
        }
        Ok(())
    }

    /// Skips blanks and comments; returns whether anything is left.
    fn skip_to_statement(&mut self) -> bool {
        loop {
            let text = self.text();
            let statement = text.trim_start();
            self.rest += text.len() - statement.len();
            if !statement.starts_with('#') {
                return !statement.is_empty();
            }
            self.rest += statement.find('\n').unwrap_or(statement.len());
        }
    }

    fn statement(&mut self) -> Result<(), Fault> {
        let text = self.text();
        if let Some(exported) = text.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t'])) {
            self.rest += text.len() - exported.trim_start_matches([' ', '\t']).len();
        }
        let (start, text) = (self.rest, self.text());
        let line = text.find('\n').map_or(text, |end| &text[..end]);
        let key_end = line.find(|c| !is_key(c)).unwrap_or(line.len());
        let (key, after) = (&line[..key_end], line[key_end..].trim_start_matches([' ', '\t']));
        if key.is_empty() {
            return Err(self.no_assignment(start, line));
        }
        self.rest = start + (line.len() - after.len());
        if after.trim_end().is_empty() || after.starts_with('#') {
            self.rest = start + line.len();
            self.inherit(key);
            return Ok(());
        }
        if !after.starts_with(['=', ':']) {
            return Err(self.no_assignment(start, line));
        }
        self.rest += 1;
        let value = self.value()?;
        self.set(key, value);
        Ok(())
    }

    fn no_assignment(&self, start: usize, line: &str) -> Fault {
        let span = self.span(start, start + line.trim_end().len());
        Box::new(Diagnostic::error("a line of an environment file must be `KEY=value`").at(&span))
    }

    /// Reads what follows `=`, quoted or not, to the end of its line.
    fn value(&mut self) -> Result<String, Fault> {
        let text = self.text();
        let blank = text.len() - text.trim_start_matches([' ', '\t']).len();
        self.rest += blank;
        match self.text().chars().next() {
            Some(quote @ ('\'' | '"')) => self.quoted(quote),
            _ => self.unquoted(),
        }
    }

    fn unquoted(&mut self) -> Result<String, Fault> {
        let (start, text) = (self.rest, self.text());
        let line = text.find('\n').map_or(text, |end| &text[..end]);
        self.rest += line.len();
        // A `#` begins a comment only after a blank, so that passwords and URLs may hold one.
        let comment = line.match_indices('#').find(|(at, _)| *at == 0 || line[..*at].ends_with([' ', '\t']));
        let value = comment.map_or(line, |(at, _)| &line[..at]).trim();
        self.expand(value, start, start + line.len())
    }

    fn quoted(&mut self, quote: char) -> Result<String, Fault> {
        let (start, text) = (self.rest, &self.text()[1..]);
        let Some(end) = closing_quote(text, quote) else {
            let span = self.span(start, start + 1);
            return Err(Box::new(Diagnostic::error(format!("the quote {quote} is never closed")).at(&span)));
        };
        let inner = &text[..end];
        self.rest = start + 1 + end + 1;
        let text = self.text();
        let tail = text.find('\n').map_or(text, |end| &text[..end]);
        if !tail.trim().is_empty() && !tail.trim_start().starts_with('#') {
            let span = self.span(self.rest, self.rest + tail.trim_end().len());
            return Err(Box::new(Diagnostic::error("text follows the closing quote").at(&span)));
        }
        self.rest += tail.len();
        if quote == '\'' {
            return Ok(inner.to_owned());
        }
        self.expand(&unescape(inner), start, start + end + 2)
    }

    fn expand(&mut self, value: &str, start: usize, end: usize) -> Result<String, Fault> {
        let span = self.span(start, end);
        interpolate_text(value, &span, &mut Scope::new(&self.seen, self.warnings))
    }

    fn set(&mut self, key: &str, value: String) {
        if !self.outer.contains_key(key) {
            self.seen.insert(key.to_owned(), value.clone());
        }
        self.pairs.push((key.to_owned(), value));
    }

    fn inherit(&mut self, key: &str) {
        if let Some(value) = self.outer.get(key).cloned() {
            self.pairs.push((key.to_owned(), value));
        }
    }

    fn raw(&mut self) -> Result<(), Fault> {
        for line in self.file.text.lines() {
            let start = self.rest;
            self.rest += line.len() + 1;
            let line = line.trim_start();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match line.split_once('=') {
                Some((key, _)) if key.is_empty() || key.contains([' ', '\t']) => {
                    return Err(self.no_assignment(start, line));
                }
                Some((key, value)) => self.set(key, value.to_owned()),
                None => self.inherit(line.trim_end()),
            }
        }
        Ok(())
    }
}

/// Returns whether `c` may stand in a key (Docker Compose allows what systemd and Java properties use).
fn is_key(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '[' | ']')
}

/// Finds the quote that ends `text`; within double quotes a backslash protects the next character.
fn closing_quote(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(index, c)| {
        if escaped {
            escaped = false;
            return None;
        }
        escaped = c == '\\';
        // In single quotes a backslash protects nothing but a quote.
        (c == quote).then_some(index)
    })
}

/// Resolves the escapes of double quotes; `\$` becomes `$$`, which the expansion makes a plain dollar.
fn unescape(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(backslash) = rest.find('\\') {
        result.push_str(&rest[..backslash]);
        let escape = &rest[backslash + 1..];
        let Some(first) = escape.chars().next() else {
            result.push('\\');
            return result;
        };
        let mut length = first.len_utf8();
        match first {
            'a' => result.push('\u{7}'),
            'b' => result.push('\u{8}'),
            'c' => {}
            'f' => result.push('\u{c}'),
            'n' => result.push('\n'),
            'r' => result.push('\r'),
            't' => result.push('\t'),
            'v' => result.push('\u{b}'),
            '\\' => result.push('\\'),
            '"' => result.push('"'),
            '$' => result.push_str("$$"),
            '0' => {
                let digits: String = escape[1..].chars().take(3).take_while(|c| c.is_digit(8)).collect();
                length += digits.len();
                let code = u32::from_str_radix(&digits, 8).unwrap_or(0);
                result.extend(char::from_u32(code));
            }
            other => {
                result.push('\\');
                result.push(other);
            }
        }
        rest = &escape[length..];
    }
    result.push_str(rest);
    result
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proptest::prelude::*;

    use super::*;

    fn file(text: &str) -> Arc<SourceText> {
        Arc::new(SourceText { path: PathBuf::from(".env"), text: text.to_owned() })
    }

    fn pairs(text: &str, format: Format) -> Result<String, String> {
        let outer = BTreeMap::from([("H".to_owned(), "host".to_owned())]);
        let pairs = read(&file(text), format, &outer, &mut Vec::new()).map_err(|fault| fault.to_string())?;
        Ok(pairs.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("|"))
    }

    fn compose(text: &str) -> String {
        pairs(text, Format::Compose).unwrap_or_else(|error| format!("error {error}"))
    }

    #[test]
    fn every_form_of_a_line() {
        let cases = [
            ("# c\n\nA=plain\r\nB=\"double $A\"\nC='single $A'\n", "A=plain|B=double plain|C=single $A"),
            ("export D=x # note\nE=a#b\nF=\"hash # in\" # out\nG=\nH\nNOPE\n", "D=x|E=a#b|F=hash # in|G=|H=host"),
            ("I=\"one\ntwo\"\nJ=a=b\n N = spaced \nY: yaml\n", "I=one\ntwo|J=a=b|N=spaced|Y=yaml"),
            ("K=\"q \\\"x\\\" \\n e \\$A \\101 \\d\"", "K=q \"x\" \n e $A \\101 \\d"),
            ("K=\"\\0101\"\nL='raw \\n end'\nM=a\\nb", "K=A|L=raw \\n end|M=a\\nb"),
            ("H=own\nX=$H", "H=own|X=host"),
            ("A=1\nA=2\nB=$A", "A=1|A=2|B=2"),
        ];
        for (text, expected) in cases {
            assert_eq!(compose(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let cases = [
            ("GOOD=1\nthis is not\n", "error .env:2:1: a line of an environment file must be `KEY=value`"),
            ("=x\n", "error .env:1:1: a line of an environment file must be `KEY=value`"),
            ("A=\"open\nB=1\n", "error .env:1:3: the quote \" is never closed"),
            ("A='x' y\n", "error .env:1:6: text follows the closing quote"),
            ("A=${B:?no}\n", "error .env:1:3: required variable `B` is missing a value: no"),
        ];
        for (text, expected) in cases {
            assert_eq!(compose(text), expected, "{text}");
        }
    }

    #[test]
    fn raw_files_keep_every_character() {
        let text = "# c\nA=\"q\" # x\nB=$H\nH\nNOPE\n";
        assert_eq!(pairs(text, Format::Raw), Ok("A=\"q\" # x|B=$H|H=host".to_owned()));
    }

    proptest! {
        #[test]
        fn any_text_ends_in_pairs_or_an_error(text in "([A=:'\"\\\\$# \n{}0é]|export |\r\n|\\PC){0,50}") {
            let _ = compose(&text);
            let _ = pairs(&text, Format::Raw);
        }
    }
}
