//! Words of a Dockerfile instruction: quotes, backslashes and variables, as its shell-like forms have them.
//!
//! Runs in the shell command's process; pure.

use super::change::ChangeError;

/// Splits `text` into words at white space outside quotes, and fills in variables outside single quotes.
///
/// # Errors
/// A quote without an end; a form of substitution that is more than a name.
pub(super) fn split(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Vec<String>, ChangeError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match (quote, char) {
            (None, char) if char.is_whitespace() => words.extend(word.take()),
            (None, '"' | '\'') => {
                quote = Some(char);
                word.get_or_insert_default();
            }
            (Some(open), char) if open == char => quote = None,
            (None, '\\') => word.get_or_insert_default().extend(chars.next()),
            (Some('"'), '\\') if matches!(chars.peek(), Some('"' | '\\' | '$')) => {
                word.get_or_insert_default().extend(chars.next());
            }
            (None | Some('"'), '$') => {
                let name = name(&mut chars)?;
                let value = if name.is_empty() { Some("$".to_owned()) } else { variable(&name) };
                word.get_or_insert_default().push_str(&value.unwrap_or_default());
            }
            (_, char) => word.get_or_insert_default().push(char),
        }
    }
    if quote.is_some() {
        return Err(ChangeError::Malformed { what: text.to_owned(), why: "a quote has no end" });
    }
    words.extend(word);
    Ok(words)
}

/// Reads a variable's name, with braces or without.
fn name(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<String, ChangeError> {
    let is_part = |char: &char| char.is_ascii_alphanumeric() || *char == '_';
    let in_braces = chars.next_if_eq(&'{').is_some();
    let mut name = String::new();
    while let Some(char) = chars.next_if(is_part) {
        name.push(char);
    }
    if in_braces && chars.next() != Some('}') {
        return Err(ChangeError::Malformed { what: format!("${{{name}"), why: "only `${NAME}` is supported" });
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str) -> Result<Vec<String>, ChangeError> {
        split(text, &|name| (name == "A").then(|| "1 2".to_owned()))
    }

    #[test]
    fn words_are_split_as_a_dockerfile_splits_them() {
        let table = [
            ("a  b", vec!["a", "b"]),
            ("k=\"a b\" l='c \"d'", vec!["k=a b", "l=c \"d"]),
            ("a\\ b", vec!["a b"]),
            ("\"a\\\"b\\n\"", vec!["a\"b\\n"]),
            ("''", vec![""]),
            ("x$A ${A}y '$A' \\$A $B.", vec!["x1 2", "1 2y", "$A", "$A", "."]),
            ("", vec![]),
        ];
        for (text, expected) in table {
            assert_eq!(words(text).unwrap(), expected, "{text}");
        }
        for text in ["\"a", "'", "${A:-x}", "${A"] {
            assert!(words(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_split(text in "\\PC{0,60}") {
            let _ = words(&text);
        }

        #[test]
        fn quoted_words_come_back(wanted in proptest::collection::vec("[^']{1,10}", 0..5)) {
            let text = wanted.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
            prop_assert_eq!(words(&text).unwrap(), wanted);
        }
    }
}
