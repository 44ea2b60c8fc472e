//! The notation of variables, for one text.
//!
//! `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME-default}`, `${NAME:?message}`, `${NAME?message}`, `${NAME:+other}`,
//! `${NAME+other}`, `$$`; defaults, messages and others may hold variables themselves (Compose Specification,
//! 12-interpolation). A `$` that begins none of these stays as it is, as in Docker Compose.

use std::collections::BTreeMap;

use crate::variables::Variable;

/// Nesting of defaults beyond which a text is refused.
const MAX_DEPTH: usize = 50;

/// Length of a result beyond which a text is refused: variables may hold each other's multiples.
const MAX_LENGTH: usize = 16 << 20;

/// Why a text could not be interpolated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TemplateError {
    /// `${` without a name, an operator or an end.
    #[error("`{part}` is not a variable")]
    Invalid {
        /// From `${` on.
        part: String,
    },
    /// `${NAME:?message}` without a value.
    #[error("required variable `{name}` is missing a value{}", .message.as_ref().map(|text| format!(": {text}")).unwrap_or_default())]
    Required {
        /// The variable.
        name: String,
        /// What the file says about it.
        message: Option<String>,
    },
    /// Too deep or too long.
    #[error("variables are nested deeper than {MAX_DEPTH} or make too much text")]
    TooLarge,
}

/// Where variables get their values, and who is told of those without.
pub(crate) trait Variables {
    /// Returns the value of a variable.
    fn value(&self, name: &str) -> Option<String>;

    /// Hears of a variable without a value whose place becomes empty.
    fn unset(&mut self, name: &str);
}

/// Replaces the variables of `text`.
///
/// # Errors
/// See [`TemplateError`].
pub(crate) fn substitute(text: &str, variables: &mut dyn Variables) -> Result<String, TemplateError> {
    expand(text, variables, 0)
}

fn expand(text: &str, variables: &mut dyn Variables, depth: usize) -> Result<String, TemplateError> {
    if depth > MAX_DEPTH {
        return Err(TemplateError::TooLarge);
    }
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        result.push_str(&rest[..dollar]);
        let after = &rest[dollar + 1..];
        rest = if let Some(after) = after.strip_prefix('$') {
            result.push('$');
            after
        } else if after.starts_with('{') {
            let (inner, after) = braces(&rest[dollar..])?;
            result.push_str(&braced(&rest[dollar..], inner, variables, depth)?);
            after
        } else {
            let name = name(after);
            if name.is_empty() {
                result.push('$');
            } else {
                result.push_str(&value_or_empty(name, variables));
            }
            &after[name.len()..]
        };
        if result.len() > MAX_LENGTH {
            return Err(TemplateError::TooLarge);
        }
    }
    result.push_str(rest);
    Ok(result)
}

/// Notes the variables that a text mentions; the first place that says something about one counts. A malformed variable
/// ends the reading: interpolation names it.
pub(crate) fn mentions(text: &str, found: &mut BTreeMap<String, Variable>) {
    mentions_within(text, found, 0);
}

fn mentions_within(text: &str, found: &mut BTreeMap<String, Variable>, depth: usize) {
    let mut rest = text;
    while let Some(dollar) = rest.find('$').filter(|_| depth <= MAX_DEPTH) {
        let after = &rest[dollar + 1..];
        if let Some(after) = after.strip_prefix('$') {
            rest = after;
        } else if after.starts_with('{') {
            let Ok((inner, after)) = braces(&rest[dollar..]) else { return };
            mention(inner, found, depth);
            rest = after;
        } else {
            let name = name(after);
            if !name.is_empty() {
                found.entry(name.to_owned()).or_default();
            }
            rest = &after[name.len()..];
        }
    }
}

/// Notes what stands between braces.
fn mention(inner: &str, found: &mut BTreeMap<String, Variable>, depth: usize) {
    let name = name(inner);
    if name.is_empty() {
        return;
    }
    let variable = found.entry(name.to_owned()).or_default();
    let operation = inner[name.len()..].trim_start_matches(':');
    let Some(operator) = operation.chars().next().filter(char::is_ascii) else { return };
    let text = &operation[1..];
    match operator {
        '-' if variable.default.is_empty() => variable.default = text.to_owned(),
        '+' if variable.alternate.is_empty() => variable.alternate = text.to_owned(),
        '?' => variable.required = true,
        _ => {}
    }
    mentions_within(text, found, depth + 1);
}

/// Returns the longest name `text` begins with, `[A-Za-z_][A-Za-z0-9_]*`.
fn name(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
    if text.starts_with(|first: char| first.is_ascii_digit()) { "" } else { &text[..end] }
}

/// Splits `${…}…` at the brace that closes the first one: only `${` opens another.
fn braces(text: &str) -> Result<(&str, &str), TemplateError> {
    let mut open = 0usize;
    let bytes = text.as_bytes();
    for (index, byte) in bytes.iter().enumerate() {
        match byte {
            b'{' if index > 0 && bytes[index - 1] == b'$' => open += 1,
            b'}' if open == 1 => return Ok((&text[2..index], &text[index + 1..])),
            b'}' => open -= 1,
            _ => {}
        }
    }
    Err(invalid(text))
}

/// Evaluates what stands between the braces; `whole` is the text from `${` on, for the error.
fn braced(whole: &str, inner: &str, variables: &mut dyn Variables, depth: usize) -> Result<String, TemplateError> {
    let name = name(inner);
    let operation = &inner[name.len()..];
    if name.is_empty() {
        return Err(invalid(whole));
    }
    if operation.is_empty() {
        return Ok(value_or_empty(name, variables));
    }
    // With a colon, an empty value counts as none.
    let (empty_counts, operation) = match operation.strip_prefix(':') {
        Some(operation) => (false, operation),
        None => (true, operation),
    };
    let value = variables.value(name).filter(|value| empty_counts || !value.is_empty());
    match (operation.get(..1), value) {
        (Some("-"), Some(value)) | (Some("?"), Some(value)) => Ok(value),
        (Some("-"), None) | (Some("+"), Some(_)) => expand(&operation[1..], variables, depth + 1),
        (Some("+"), None) => Ok(String::new()),
        (Some("?"), None) => {
            let message = expand(&operation[1..], variables, depth + 1)?;
            let message = Some(message).filter(|message| !message.is_empty());
            Err(TemplateError::Required { name: name.to_owned(), message })
        }
        _ => Err(invalid(whole)),
    }
}

fn value_or_empty(name: &str, variables: &mut dyn Variables) -> String {
    variables.value(name).unwrap_or_else(|| {
        variables.unset(name);
        String::new()
    })
}

fn invalid(text: &str) -> TemplateError {
    let end = text.find('}').map_or(text.len(), |brace| brace + 1);
    TemplateError::Invalid { part: text[..end].chars().take(40).collect() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Default)]
    struct Fixed {
        unset: Vec<String>,
    }

    impl Variables for Fixed {
        fn value(&self, name: &str) -> Option<String> {
            match name {
                "SET" => Some("yes".to_owned()),
                "EMPTY" => Some(String::new()),
                "DOLLAR" => Some("$SET".to_owned()),
                _ => None,
            }
        }

        fn unset(&mut self, name: &str) {
            self.unset.push(name.to_owned());
        }
    }

    fn substituted(text: &str) -> String {
        substitute(text, &mut Fixed::default()).unwrap_or_else(|error| format!("error: {error}"))
    }

    #[test]
    fn every_form_for_set_empty_and_unset() {
        let cases = [
            ("$SET/$EMPTY/$SET_", "yes//"),
            ("${SET}${NOPE}", "yes"),
            ("${SET:-no} ${SET-no} ${SET:+alt} ${SET+alt} ${SET:?m} ${SET?m}", "yes yes alt alt yes yes"),
            ("[${EMPTY:-no} ${EMPTY-no} ${EMPTY:+alt} ${EMPTY+alt} ${EMPTY?m}]", "[no   alt ]"),
            ("[${NOPE:-no} ${NOPE-no} ${NOPE:+alt} ${NOPE+alt}]", "[no no  ]"),
            ("${NOPE:-${EMPTY:-${SET}}}", "yes"),
            ("<${NOPE:-a${SET}b${EMPTY:-c}}>", "<ayesbc>"),
            ("${NOPE:-http://host:80/x?y=z}", "http://host:80/x?y=z"),
            ("${NOPE:-{a}}", "{a}"),
            ("${SET:+$$x}", "$x"),
            ("$DOLLAR", "$SET"),
        ];
        for (text, expected) in cases {
            assert_eq!(substituted(text), expected, "{text}");
        }
    }

    #[test]
    fn dollars_that_begin_nothing_stay() {
        let cases = [("$$", "$"), ("$$$$", "$$"), ("$$SET", "$SET"), ("5$", "5$"), ("$1 $- $(x)", "$1 $- $(x)")];
        for (text, expected) in cases {
            assert_eq!(substituted(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            ("tea:${1TAG}", "error: `${1TAG}` is not a variable"),
            ("${}", "error: `${}` is not a variable"),
            ("${A B}", "error: `${A B}` is not a variable"),
            ("${A:}", "error: `${A:}` is not a variable"),
            ("${SET", "error: `${SET` is not a variable"),
            ("${NOPE:?needs ${SET}}", "error: required variable `NOPE` is missing a value: needs yes"),
            ("${EMPTY:?}", "error: required variable `EMPTY` is missing a value"),
        ];
        for (text, expected) in cases {
            assert_eq!(substituted(text), expected, "{text}");
        }
    }

    #[test]
    fn only_a_variable_without_value_and_default_is_reported() {
        let mut variables = Fixed::default();
        substitute("$A ${B} ${C:-c} ${D+d} ${SET:+$E}", &mut variables).unwrap();
        assert_eq!(variables.unset, ["A", "B", "E"]);
    }

    #[test]
    fn what_a_text_mentions_is_found_with_what_it_says() {
        let mut found = BTreeMap::new();
        mentions("$A ${B:-b${C}} ${D:?no} ${E:+e} $$F ${A:-late} ${", &mut found);
        let variable = |required, default: &str, alternate: &str| Variable {
            required,
            default: default.to_owned(),
            alternate: alternate.to_owned(),
        };
        let expected = [
            ("A", variable(false, "late", "")),
            ("B", variable(false, "b${C}", "")),
            ("C", variable(false, "", "")),
            ("D", variable(true, "", "")),
            ("E", variable(false, "", "e")),
        ];
        assert_eq!(found, expected.map(|(name, variable)| (name.to_owned(), variable)).into());
    }

    #[test]
    fn deep_nesting_ends_in_an_error() {
        let text = format!("{}x{}", "${A:-".repeat(1000), "}".repeat(1000));
        assert_eq!(substitute(&text, &mut Fixed::default()), Err(TemplateError::TooLarge));
    }

    proptest! {
        #[test]
        fn any_text_ends_in_a_text_or_an_error(text in "([$A{}:?+-]|SET|é|\\PC){0,40}") {
            let _ = substitute(&text, &mut Fixed::default());
        }

        #[test]
        fn text_without_dollars_is_itself(text in "[^$]*") {
            prop_assert_eq!(substitute(&text, &mut Fixed::default()), Ok(text));
        }
    }
}
