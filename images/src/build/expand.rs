//! Variables and quotes in an instruction's words.
//!
//! Runs in the shell command's process; pure. Dockerfile reference, "Environment replacement": `$name`, `${name}`, and
//! within braces `:-` `-` `:+` `+` `:?` `?` `#` `##` `%` `%%` `/` `//`.

use std::iter::Peekable;
use std::str::Chars;

use super::pattern::Glob;

/// Deepest nesting of `${a:-${b:-…}}`.
const DEEPEST: u32 = 100;

/// Why a word cannot be expanded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    /// Something has no end.
    #[error("`{text}`: {what} is missing")]
    Unfinished {
        /// The text.
        text: String,
        /// What is missing.
        what: &'static str,
    },
    /// A substitution that does not exist.
    #[error("`{text}`: bad substitution")]
    Substitution {
        /// The text.
        text: String,
    },
    /// `${name:?message}` of a variable that is not set.
    #[error("variable `{name}`: {message}")]
    Unset {
        /// The variable.
        name: String,
        /// What the file says about it.
        message: String,
    },
}

/// What becomes of quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quotes {
    /// They hold a word together and go.
    Removed,
    /// They hold a word together and stay.
    Kept,
    /// They are characters like any other: here-documents.
    Ignored,
}

/// How to expand.
pub(crate) struct Expander<'a> {
    /// Takes a character's meaning away.
    pub(crate) escape: char,
    /// What becomes of quotes.
    pub(crate) quotes: Quotes,
    /// A variable that is not set stays as it is written; else it is empty.
    pub(crate) keeps_unset: bool,
    /// Returns a variable's value.
    pub(crate) variable: &'a dyn Fn(&str) -> Option<String>,
}

/// What is read, and into what.
struct Run<'a, 'b> {
    expander: &'a Expander<'a>,
    source: &'b str,
    chars: Peekable<Chars<'b>>,
    depth: u32,
}

/// The text so far, and the words in it.
#[derive(Default)]
struct Output {
    text: String,
    word: String,
    words: Vec<String>,
}

impl Output {
    /// Adds a character, which ends a word if it is a blank.
    fn push(&mut self, char: char) {
        self.text.push(char);
        if !char.is_whitespace() {
            self.word.push(char);
        } else if !self.word.is_empty() {
            self.words.push(std::mem::take(&mut self.word));
        }
    }

    /// Adds what does not end a word, whatever it is.
    fn push_held(&mut self, text: &str) {
        self.text.push_str(text);
        self.word.push_str(text);
    }
}

impl Expander<'_> {
    /// Expands a text; blanks in it stay.
    pub(crate) fn text(&self, source: &str) -> Result<String, ExpandError> {
        Ok(self.run(source)?.text)
    }

    /// Expands a text and splits it at blanks outside quotes; empty words are none.
    pub(crate) fn words(&self, source: &str) -> Result<Vec<String>, ExpandError> {
        let mut output = self.run(source)?;
        if !output.word.is_empty() {
            output.words.push(output.word);
        }
        Ok(output.words)
    }

    fn run(&self, source: &str) -> Result<Output, ExpandError> {
        Run { expander: self, source, chars: source.chars().peekable(), depth: 0 }.until(None, false)
    }
}

impl Run<'_, '_> {
    fn unfinished(&self, what: &'static str) -> ExpandError {
        ExpandError::Unfinished { text: self.source.to_owned(), what }
    }

    fn bad(&self) -> ExpandError {
        ExpandError::Substitution { text: self.source.to_owned() }
    }

    /// Reads up to `stop`, which is taken, or to the end; escapes stay with `keeps_escapes`.
    fn until(&mut self, stop: Option<char>, keeps_escapes: bool) -> Result<Output, ExpandError> {
        let mut output = Output::default();
        let quotes = self.expander.quotes;
        while let Some(char) = self.chars.next() {
            match char {
                _ if stop == Some(char) => return Ok(output),
                '\'' if quotes != Quotes::Ignored => output.push_held(&self.single_quoted()?),
                '"' if quotes != Quotes::Ignored => output.push_held(&self.double_quoted()?),
                '$' => self.dollar()?.chars().for_each(|char| output.push(char)),
                _ if char == self.expander.escape => {
                    if keeps_escapes || quotes == Quotes::Kept {
                        output.push_held(&char.to_string());
                    }
                    if let Some(next) = self.chars.next() {
                        output.push_held(&next.to_string());
                    }
                }
                _ => output.push(char),
            }
        }
        match stop {
            None => Ok(output),
            Some('/') => Err(self.unfinished("`/`")),
            Some(_) => Err(self.unfinished("`}`")),
        }
    }

    fn quoted(&self, quote: char, text: String) -> String {
        if self.expander.quotes == Quotes::Kept { format!("{quote}{text}{quote}") } else { text }
    }

    fn single_quoted(&mut self) -> Result<String, ExpandError> {
        let mut text = String::new();
        loop {
            match self.chars.next() {
                None => return Err(self.unfinished("the closing single quote")),
                Some('\'') => return Ok(self.quoted('\'', text)),
                Some(char) => text.push(char),
            }
        }
    }

    fn double_quoted(&mut self) -> Result<String, ExpandError> {
        let mut text = String::new();
        let escape = self.expander.escape;
        loop {
            match self.chars.next() {
                None => return Err(self.unfinished("the closing double quote")),
                Some('"') => return Ok(self.quoted('"', text)),
                Some('$') => text.push_str(&self.dollar()?),
                Some(char) if char == escape => {
                    let meant = self.chars.next_if(|next| ['"', '$', escape].contains(next));
                    if meant.is_none() || self.expander.quotes == Quotes::Kept {
                        text.push(char);
                    }
                    text.extend(meant);
                }
                Some(char) => text.push(char),
            }
        }
    }

    fn value(&self, name: &str, written: impl FnOnce() -> String) -> (String, bool) {
        match (self.expander.variable)(name) {
            Some(value) => (value, true),
            None if self.expander.keeps_unset => (written(), false),
            None => (String::new(), false),
        }
    }

    /// Reads what follows a `$`.
    fn dollar(&mut self) -> Result<String, ExpandError> {
        if self.chars.next_if_eq(&'{').is_none() {
            let name = self.name();
            return Ok(if name.is_empty() { "$".to_owned() } else { self.value(&name, || format!("${name}")).0 });
        }
        self.depth += 1;
        let value = if self.depth > DEEPEST { Err(self.bad()) } else { self.braces() };
        self.depth -= 1;
        value
    }

    fn braces(&mut self) -> Result<String, ExpandError> {
        match self.chars.peek() {
            None => return Err(self.unfinished("`}`")),
            Some('{' | '}' | ':') => return Err(self.bad()),
            Some(_) => {}
        }
        let name = self.name();
        match self.chars.next() {
            None => Err(self.unfinished("`}`")),
            Some('}') => Ok(self.value(&name, || format!("${{{name}}}")).0),
            Some(':') => match self.chars.next() {
                Some(kind @ ('-' | '+' | '?')) => self.alternative(&name, kind, true),
                _ => Err(self.bad()),
            },
            Some(kind @ ('-' | '+' | '?')) => self.alternative(&name, kind, false),
            Some(kind @ ('#' | '%')) => self.trimmed(&name, kind),
            Some('/') => self.replaced(&name),
            Some(_) => Err(self.bad()),
        }
    }

    /// `${name-word}` and its like; with `null_is_unset` an empty value counts as none.
    fn alternative(&mut self, name: &str, kind: char, null_is_unset: bool) -> Result<String, ExpandError> {
        let word = self.until(Some('}'), false)?.text;
        let colon = if null_is_unset { ":" } else { "" };
        let (value, is_set) = self.value(name, || format!("${{{name}{colon}{kind}{word}}}"));
        if !is_set && self.expander.keeps_unset {
            return Ok(value);
        }
        let counts = is_set && !(null_is_unset && value.is_empty());
        match (kind, counts) {
            ('-', false) | ('+', true) => Ok(word),
            ('+', false) => Ok(String::new()),
            ('?', false) => {
                let default = if is_set { "is not allowed to be empty" } else { "is not allowed to be unset" };
                let message = if word.is_empty() { default.to_owned() } else { word };
                Err(ExpandError::Unset { name: name.to_owned(), message })
            }
            _ => Ok(value),
        }
    }

    /// `${name#pattern}` and its like: the shortest match at the beginning or end goes, with the sign doubled the longest.
    fn trimmed(&mut self, name: &str, kind: char) -> Result<String, ExpandError> {
        let is_longest = self.chars.next_if_eq(&kind).is_some();
        let word = self.until(Some('}'), true)?.text;
        let sign = kind.to_string().repeat(1 + usize::from(is_longest));
        let (value, is_set) = self.value(name, || format!("${{{name}{sign}{word}}}"));
        if !is_set {
            return Ok(value);
        }
        let glob = Glob::shell(&word);
        let mut ends: Vec<usize> = value.char_indices().map(|(at, _)| at).chain([value.len()]).collect();
        // The candidates in order of preference: the shortest piece to take away first, or last.
        if (kind == '%') != is_longest {
            ends.reverse();
        }
        let found = ends.into_iter().find(|at| match kind {
            '#' => glob.matches(&value[..*at]),
            _ => glob.matches(&value[*at..]),
        });
        Ok(match (found, kind) {
            (Some(at), '#') => value[at..].to_owned(),
            (Some(at), _) => value[..at].to_owned(),
            (None, _) => value,
        })
    }

    /// `${name/pattern/text}`: the first match, with `//` every one.
    fn replaced(&mut self, name: &str) -> Result<String, ExpandError> {
        let all = self.chars.next_if_eq(&'/').is_some();
        let pattern = self.until(Some('/'), true)?.text;
        let replacement = self.until(Some('}'), true)?.text;
        let sign = if all { "//" } else { "/" };
        let (value, is_set) = self.value(name, || format!("${{{name}{sign}{pattern}/{replacement}}}"));
        if !is_set {
            return Ok(value);
        }
        Ok(replace(&value, &Glob::shell(&pattern), &replacement, all))
    }

    /// Reads a name: letters, digits and `_`; or one of the special parameters; or a number.
    fn name(&mut self) -> String {
        let mut name = String::new();
        if self.chars.peek().is_some_and(char::is_ascii_digit) {
            while let Some(digit) = self.chars.next_if(char::is_ascii_digit) {
                name.push(digit);
            }
            return name;
        }
        if let Some(special) = self.chars.next_if(|char| "@*#?-$!".contains(*char)) {
            return special.to_string();
        }
        while let Some(char) = self.chars.next_if(|char| char.is_alphanumeric() || *char == '_') {
            name.push(char);
        }
        name
    }
}

/// Replaces the longest match at each place, from the left.
fn replace(value: &str, glob: &Glob, replacement: &str, all: bool) -> String {
    let mut result = String::new();
    let mut rest = value;
    while let Some(first) = rest.chars().next() {
        let ends = rest.char_indices().map(|(at, char)| at + char.len_utf8()).rev();
        match ends.into_iter().find(|end| glob.matches(&rest[..*end])) {
            Some(end) => {
                result.push_str(replacement);
                rest = &rest[end..];
                if !all {
                    break;
                }
            }
            None => {
                result.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    result + rest
}

#[cfg(test)]
#[path = "expand_tests.rs"]
mod tests;
