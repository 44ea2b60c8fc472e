//! Patterns of file names: `*`, `?`, `[a-z]`, `\x`, and where they may cross folders, `**`.
//!
//! Runs in the shell command's process; pure. Go's `path/filepath.Match` for COPY and ADD; moby's `patternmatcher` for
//! .dockerignore; the shell's simple ones for `${name#pattern}`. Matching takes time in proportion to pattern × text.

/// Why a pattern is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("pattern `{0}` is malformed")]
pub struct PatternError(String);

impl PatternError {
    /// Names the pattern that is refused.
    pub(crate) fn of(pattern: &str) -> PatternError {
        PatternError(pattern.to_owned())
    }
}

/// A pattern for whole texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Glob {
    tokens: Vec<Token>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Literal(char),
    /// One character but `/`.
    One,
    /// One character.
    AnyOne,
    Class {
        is_negated: bool,
        ranges: Vec<(char, char)>,
    },
    /// Any characters but `/`.
    Star,
    /// Any characters.
    Everything,
    /// `**/`: nothing, or folders; this goes on, or over to the next.
    Folders,
    /// Within those folders.
    InFolders,
}

impl Glob {
    /// Reads a pattern of Go's `filepath.Match`.
    pub(crate) fn file_name(pattern: &str) -> Result<Glob, PatternError> {
        Glob::parse(pattern, false)
    }

    /// Reads a pattern in which `**` stands for any number of folders.
    pub(crate) fn path(pattern: &str) -> Result<Glob, PatternError> {
        // `**name`, with nothing special in the name, is any path that ends so (moby's `patternmatcher`).
        if let Some(suffix) = pattern.strip_prefix("**")
            && !suffix.is_empty()
            && !suffix.starts_with('/')
            && !suffix.contains(['*', '?', '[', '\\'])
        {
            let literals = suffix.chars().map(Token::Literal);
            return Ok(Glob { tokens: std::iter::once(Token::Everything).chain(literals).collect() });
        }
        Glob::parse(pattern, true)
    }

    /// Reads a pattern of `${name#pattern}`: `*` and `?` only, which match `/` too.
    pub(crate) fn shell(pattern: &str) -> Glob {
        let mut tokens = Vec::new();
        let mut chars = pattern.chars();
        while let Some(char) = chars.next() {
            tokens.push(match char {
                '*' => Token::Everything,
                '?' => Token::AnyOne,
                '\\' => Token::Literal(chars.next().unwrap_or('\\')),
                _ => Token::Literal(char),
            });
        }
        Glob { tokens }
    }

    fn parse(pattern: &str, crosses_folders: bool) -> Result<Glob, PatternError> {
        let malformed = || PatternError(pattern.to_owned());
        let mut tokens = Vec::new();
        let mut chars = pattern.chars().peekable();
        while let Some(char) = chars.next() {
            match char {
                '*' if crosses_folders && chars.next_if_eq(&'*').is_some() => {
                    chars.next_if_eq(&'/');
                    match chars.peek() {
                        None => tokens.push(Token::Everything),
                        Some(_) => tokens.extend([Token::Folders, Token::InFolders]),
                    }
                }
                '*' => tokens.push(Token::Star),
                '?' => tokens.push(Token::One),
                '\\' => tokens.push(Token::Literal(chars.next().ok_or_else(malformed)?)),
                '[' => tokens.push(class(&mut chars).ok_or_else(malformed)?),
                _ => tokens.push(Token::Literal(char)),
            }
        }
        Ok(Glob { tokens })
    }

    /// Returns whether the pattern describes the whole text.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let mut states = vec![false; self.tokens.len() + 1];
        self.enter(&mut states, 0);
        for char in text.chars() {
            let mut next = vec![false; states.len()];
            for (position, token) in self.tokens.iter().enumerate().filter(|(position, _)| states[*position]) {
                let (stays, goes_on) = token.step(char);
                if stays {
                    self.enter(&mut next, position);
                }
                if goes_on {
                    self.enter(&mut next, position + 1);
                }
            }
            states = next;
        }
        states[self.tokens.len()]
    }

    /// Marks a state, and those that are reached from it without a character.
    fn enter(&self, states: &mut [bool], position: usize) {
        if states[position] {
            return;
        }
        states[position] = true;
        match self.tokens.get(position) {
            Some(Token::Star | Token::Everything) => self.enter(states, position + 1),
            Some(Token::Folders) => {
                self.enter(states, position + 1);
                self.enter(states, position + 2);
            }
            _ => {}
        }
    }
}

impl Token {
    /// Returns whether a character leaves the match where it is, and whether it takes it to the next token.
    fn step(&self, char: char) -> (bool, bool) {
        match self {
            Token::Literal(own) => (false, *own == char),
            Token::One => (false, char != '/'),
            Token::AnyOne => (false, true),
            Token::Class { is_negated, ranges } => {
                let is_in = ranges.iter().any(|(first, last)| (*first..=*last).contains(&char));
                (false, char != '/' && is_in != *is_negated)
            }
            Token::Star => (char != '/', false),
            Token::Everything => (true, false),
            Token::Folders => (false, false),
            Token::InFolders => (true, char == '/'),
        }
    }
}

/// Reads `[a-c]` or `[^a-c]` after its bracket.
fn class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<Token> {
    let is_negated = chars.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    while ranges.is_empty() || chars.peek() != Some(&']') {
        let first = class_char(chars)?;
        let last = if chars.next_if_eq(&'-').is_some() { class_char(chars)? } else { first };
        ranges.push((first, last));
    }
    chars.next();
    Some(Token::Class { is_negated, ranges })
}

fn class_char(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<char> {
    match chars.next()? {
        '-' | ']' => None,
        '\\' => chars.next(),
        char => Some(char),
    }
}

/// Returns whether a name has signs of a pattern in it.
pub(crate) fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '['])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_match_as_filepath_match_has_it() {
        let table = [
            ("a*.txt", "ab.txt", true),
            ("a*", "a/b", false),
            ("*/b", "a/b", true),
            ("?", "/", false),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("[^a-c]x", "dx", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("a**b", "axyb", true),
            ("", "", true),
            ("[\\]]", "]", true),
        ];
        for (pattern, name, expected) in table {
            assert_eq!(Glob::file_name(pattern).unwrap().matches(name), expected, "{pattern} {name}");
        }
        for pattern in ["[", "[a", "[]", "[a-]", "\\", "[]a]"] {
            assert!(Glob::file_name(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn two_stars_cross_folders() {
        let table = [
            ("**/x", "x", true),
            ("**/x", "a/b/x", true),
            ("**/x", "ax", false),
            ("a/**", "a/b/c", true),
            ("a/**", "a", false),
            ("a/**/b", "a/b", true),
            ("a/**/b", "a/x/y/b", true),
            ("**x", "a/bx", true),
            ("**/*.go", "a/b.go", true),
            ("**", "a/b", true),
            ("a**b", "a/x/b", true),
        ];
        for (pattern, name, expected) in table {
            assert_eq!(Glob::path(pattern).unwrap().matches(name), expected, "{pattern} {name}");
        }
    }

    proptest! {
        #[test]
        fn any_pattern_is_refused_or_matches_in_time(pattern in "[a\\*\\?/\\[\\]^\\\\-]{0,40}", text in "[a/]{0,60}") {
            for glob in [Glob::file_name(&pattern), Glob::path(&pattern), Ok(Glob::shell(&pattern))].into_iter().flatten() {
                let _ = glob.matches(&text);
            }
        }

        #[test]
        fn a_name_without_signs_matches_itself_only(name in "[a-z/.]{1,20}", other in "[a-z/.]{1,20}") {
            let glob = Glob::path(&name).unwrap();
            prop_assert!(glob.matches(&name));
            prop_assert_eq!(glob.matches(&other), name == other);
        }
    }
}
