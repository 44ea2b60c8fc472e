//! Patterns of names: `*` and `?` stop at a slash, `[a-z]` is a set, a backslash takes the meaning away. As Go's
//! `path.Match`, which docker matches names with.

/// Tells whether the whole of `text` fits `pattern`. A pattern that is malformed fits nothing.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    fits_from(&pattern, &text)
}

/// Goes back to the last star when a later part does not fit: no more than pattern times text steps.
fn fits_from(pattern: &[char], text: &[char]) -> bool {
    let (mut at, mut position) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        let step = match (pattern.get(at), text.get(position)) {
            (None, None) => return true,
            (Some('*'), _) => {
                star = Some((at + 1, position));
                at += 1;
                continue;
            }
            (Some(_), Some(char)) => one(&pattern[at..], *char),
            _ => None,
        };
        match (step, star) {
            (Some(length), _) => (at, position) = (at + length, position + 1),
            (None, Some((after, from))) if text.get(from).is_some_and(|char| *char != '/') => {
                star = Some((after, from + 1));
                (at, position) = (after, from + 1);
            }
            _ => return false,
        }
    }
}

/// Returns the length of the pattern's next part if it fits `char`.
fn one(pattern: &[char], char: char) -> Option<usize> {
    match pattern {
        ['?', ..] => (char != '/').then_some(1),
        ['\\', escaped, ..] => (*escaped == char).then_some(2),
        ['[', ..] => set(pattern, char),
        [plain, ..] => (*plain == char).then_some(1),
        [] => None,
    }
}

fn set(pattern: &[char], char: char) -> Option<usize> {
    let is_negated = pattern.get(1) == Some(&'^');
    let mut at = if is_negated { 2 } else { 1 };
    let first = at;
    let mut is_in = false;
    while *pattern.get(at)? != ']' || at == first {
        let low = *pattern.get(at)?;
        let high = if pattern.get(at + 1) == Some(&'-') { *pattern.get(at + 2)? } else { low };
        at += if high == low && pattern.get(at + 1) != Some(&'-') { 1 } else { 3 };
        is_in |= (low..=high).contains(&char);
    }
    (is_in != is_negated).then_some(at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_in_go() {
        let table = [
            ("redis", "redis", true),
            ("redis", "redis:7", false),
            ("re*", "redis", true),
            ("*", "a/b", false),
            ("*/*", "a/b", true),
            ("*:7", "redis:7", true),
            ("*a*b", "xaxxbxb", true),
            ("red?s", "redis", true),
            ("red[h-j]s", "redis", true),
            ("red[^i]s", "redis", false),
            ("[", "[", false),
            ("a\\*", "a*", true),
            ("", "", true),
            ("*", "", true),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_pattern_full_of_stars_does_not_take_forever() {
        assert!(!fits(&"*a".repeat(200), &"a".repeat(199)));
    }
}
