//! Texts that the schema describes by a pattern. As in the reference, the pattern has to occur in the text, not to cover it.

/// What [`is_container_name`] takes.
pub(super) const CONTAINER_NAME: &str =
    "a name of at least two letters, digits, `.`, `_` or `-` that begins with one of the first two";

/// What [`is_pull_policy`] takes.
pub(super) const PULL_POLICY: &str =
    "`always`, `never`, `missing`, `if_not_present`, `build`, `refresh`, `daily`, `weekly` or `every_DURATION`";

/// Returns whether `[a-zA-Z0-9][a-zA-Z0-9_.-]+` occurs in the text.
pub(super) fn is_container_name(text: &str) -> bool {
    let pairs = text.as_bytes().windows(2);
    pairs.into_iter().any(|pair| {
        pair[0].is_ascii_alphanumeric() && (pair[1].is_ascii_alphanumeric() || matches!(pair[1], b'_' | b'.' | b'-'))
    })
}

/// Returns whether the text has the name of a policy, or `every_` with numbers and units.
pub(super) fn is_pull_policy(text: &str) -> bool {
    const NAMES: [&str; 8] = ["always", "never", "build", "if_not_present", "missing", "refresh", "daily", "weekly"];
    let is_every = |after: &str| {
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        digits > 0 && after[digits..].starts_with(['w', 'd', 'h', 'm', 's'])
    };
    NAMES.iter().any(|name| text.contains(name)) || text.split("every_").skip(1).any(is_every)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_may_stand_anywhere_in_a_text() {
        for (text, good) in [("web", true), ("a", false), ("", false), ("/a1", true), ("-_", false), ("é.b", false)] {
            assert_eq!(is_container_name(text), good, "{text}");
        }
        for (text, good) in
            [("always", true), ("every_12h", true), ("every_h", false), ("sometimes", false), ("weekly-ish", true)]
        {
            assert_eq!(is_pull_policy(text), good, "{text}");
        }
    }
}
