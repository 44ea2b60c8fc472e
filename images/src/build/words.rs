//! How an instruction's arguments are split: flags, JSON lists, words with quotes.
//!
//! Runs in the shell command's process; pure.

use serde_json::Value;

use super::expand::{ExpandError, Expander, Quotes};
use super::fault::Problem;

/// Flags of an instruction, in the order given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    flags: Vec<(String, Option<String>)>,
}

impl Flags {
    /// Takes flags off the beginning of an instruction's arguments; a `--` alone ends them.
    pub(crate) fn split(rest: &str, escape: char) -> (Flags, String) {
        let mut flags = Vec::new();
        let mut rest = rest.trim_start();
        while rest.starts_with("--") {
            let (word, after) = first_word(rest, escape);
            rest = after.trim_start();
            if word == "--" {
                break;
            }
            let (name, value) =
                word[2..].split_once('=').map_or((&word[2..], None), |(name, value)| (name, Some(value)));
            flags.push((name.to_owned(), value.map(str::to_owned)));
        }
        (Flags { flags }, rest.to_owned())
    }

    /// Refuses every flag that is not among `known`.
    pub(crate) fn check(&self, instruction: &'static str, known: &[&'static str]) -> Result<(), Problem> {
        for (name, _) in &self.flags {
            if !known.contains(&name.as_str()) {
                let meant = super::fault::closest(name, known);
                let hint = meant.map(|meant| format!(": did you mean `--{meant}`?")).unwrap_or_default();
                return Err(Problem::flag(instruction, name, format!("there is no such flag{hint}")));
            }
        }
        Ok(())
    }

    /// Returns the value of a flag that may be given once.
    pub(crate) fn one(&self, instruction: &'static str, name: &str) -> Result<Option<String>, Problem> {
        match &self.all(instruction, name)?[..] {
            [] => Ok(None),
            [value] => Ok(Some(value.clone())),
            _ => Err(Problem::flag(instruction, name, "it may be given once only")),
        }
    }

    /// Returns the values of a flag that may be given often.
    pub(crate) fn all(&self, instruction: &'static str, name: &str) -> Result<Vec<String>, Problem> {
        let own = self.flags.iter().filter(|(own, _)| own == name);
        own.map(|(_, value)| value.clone().ok_or_else(|| Problem::flag(instruction, name, "it needs a value")))
            .collect()
    }

    /// Returns a flag that is on when it stands there alone, or has a value that says so.
    pub(crate) fn switch(&self, instruction: &'static str, name: &str) -> Result<Option<bool>, Problem> {
        match self.flags.iter().rfind(|(own, _)| own == name) {
            None => Ok(None),
            Some((_, None)) => Ok(Some(true)),
            Some((_, Some(value))) => match value.as_str() {
                "true" | "1" | "t" | "T" | "TRUE" | "True" => Ok(Some(true)),
                "false" | "0" | "f" | "F" | "FALSE" | "False" => Ok(Some(false)),
                _ => Err(Problem::flag(instruction, name, format!("`{value}` is neither true nor false"))),
            },
        }
    }
}

/// Reads a word with its quotes removed; returns it and what follows.
fn first_word(text: &str, escape: char) -> (String, &str) {
    let mut word = String::new();
    let mut quote = None;
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match (quote, char) {
            (None, char) if char.is_whitespace() => return (word, &text[at..]),
            (None, '"' | '\'') => quote = Some(char),
            (Some(open), char) if open == char => quote = None,
            (open, char) if char == escape && open != Some('\'') => word.extend(chars.next().map(|(_, next)| next)),
            (_, char) => word.push(char),
        }
    }
    (word, "")
}

/// Reads a JSON list of texts; `None` if the text is no JSON list, and so means something else.
///
/// # Errors
/// A list with something else in it than texts.
pub(crate) fn json_list(instruction: &'static str, text: &str) -> Result<Option<Vec<String>>, Problem> {
    if !text.starts_with('[') {
        return Ok(None);
    }
    let Ok(values) = serde_json::from_str::<Vec<Value>>(text) else { return Ok(None) };
    let text = |value: Value| match value {
        Value::String(text) => Ok(text),
        _ => Err(Problem::arguments(instruction, "a list in JSON form must consist of texts")),
    };
    values.into_iter().map(text).collect::<Result<_, _>>().map(Some)
}

/// Returns whether arguments, flags aside, are in JSON form.
pub(crate) fn is_json_list(rest: &str) -> bool {
    let (_, rest) = Flags::split(rest, '\\');
    matches!(json_list("RUN", &rest), Ok(Some(_)) | Err(_))
}

/// Splits at blanks outside quotes; quotes and escapes stay in the words, to be taken out when they are expanded.
pub(crate) fn quoted_words(text: &str, escape: char) -> Result<Vec<String>, ExpandError> {
    let none = |_: &str| None;
    Expander { escape, quotes: Quotes::Kept, keeps_unset: true, variable: &none }.words(text)
}

/// Splits at blanks.
pub(crate) fn plain_words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn flags_stand_at_the_beginning() {
        let (flags, rest) = Flags::split("--from=a --chown='b c' --link --  --x y", '\\');
        assert_eq!(flags.one("COPY", "from").unwrap().as_deref(), Some("a"));
        assert_eq!(flags.one("COPY", "chown").unwrap().as_deref(), Some("b c"));
        assert_eq!(flags.switch("COPY", "link").unwrap(), Some(true));
        assert_eq!(rest, "--x y");
        let error = flags.check("COPY", &["from", "chow", "link"]).unwrap_err().to_string();
        assert_eq!(error, "`COPY` with flag `--chown`: there is no such flag: did you mean `--chow`?");
        assert!(Flags::split("--link=maybe x", '\\').0.switch("COPY", "link").is_err());
        assert!(Flags::split("--from x", '\\').0.one("COPY", "from").is_err());
    }

    #[test]
    fn only_a_list_of_texts_is_in_json_form() {
        assert_eq!(json_list("RUN", "[\"a\", \"b c\"]").unwrap().unwrap(), ["a", "b c"]);
        assert_eq!(json_list("RUN", "['a']").unwrap(), None);
        assert_eq!(json_list("RUN", "[ -f x ] && y").unwrap(), None);
        assert!(json_list("RUN", "[1]").is_err());
    }

    proptest! {
        #[test]
        fn flags_are_taken_off_any_text(text in "[-a= '\"\\\\]{0,40}") {
            let (_, rest) = Flags::split(&text, '\\');
            prop_assert!(text.ends_with(&rest));
        }
    }
}
