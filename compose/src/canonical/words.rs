//! A command line split into words as a shell does, without expanding anything.

/// Splits at blanks; quotes and backslashes protect. [`None`] when a quote is not closed.
pub fn split_words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some('\''), c) => word.get_or_insert_default().push(c),
            (_, '\\') => word.get_or_insert_default().push(characters.next()?),
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_does() {
        let cases: [(&str, Option<&[&str]>); 9] = [
            ("echo hello  world", Some(&["echo", "hello", "world"])),
            ("a 'b c' \"d e\"", Some(&["a", "b c", "d e"])),
            ("a\\ b c", Some(&["a b", "c"])),
            ("x'y'\"z\"", Some(&["xyz"])),
            ("a ''", Some(&["a", ""])),
            ("sh -c 'a && b; c'", Some(&["sh", "-c", "a && b; c"])),
            ("", Some(&[])),
            ("echo 'open", None),
            ("end\\", None),
        ];
        for (line, expected) in cases {
            let words = split_words(line);
            assert_eq!(
                words.as_ref().map(|words| words.iter().map(String::as_str).collect::<Vec<_>>()),
                expected.map(<[&str]>::to_vec),
                "{line}"
            );
        }
    }
}
