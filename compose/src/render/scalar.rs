//! Scalars of YAML, quoted as go-yaml quotes them.

use crate::yaml::resolves_to_text;

/// How a text can be written.
pub(super) enum Style {
    /// As it is.
    Plain,
    /// In single quotes.
    Single,
    /// In double quotes, with escapes.
    Double,
    /// As a block of lines.
    Literal,
}

/// What there is in a text that limits how it can be written.
#[derive(Default)]
struct Findings {
    indicator: bool,
    special: bool,
    tab: bool,
    breaks: bool,
    edge_blank: bool,
    trailing_space: bool,
    space_before_break: bool,
    space_after_break: bool,
}

/// Returns the style in which go-yaml writes a text; a key must stay in its line.
pub(super) fn style(text: &str, is_key: bool) -> Style {
    let findings = analyse(text);
    let Findings { special, tab, breaks, space_before_break, .. } = findings;
    let single = !(findings.space_after_break || space_before_break || tab || special);
    let plain = single && !(findings.indicator || findings.edge_blank || breaks);
    if text.contains('\n') {
        let literal = !(is_key || findings.trailing_space || space_before_break || special);
        return if literal { Style::Literal } else { Style::Double };
    }
    match (resolves_to_text(text) && !is_old(text), plain && !(is_key && text.is_empty())) {
        (true, true) => Style::Plain,
        (true, false) if single && !breaks => Style::Single,
        _ => Style::Double,
    }
}

/// Returns whether older parsers would read something else: words for truth, numbers to the base of 60.
fn is_old(text: &str) -> bool {
    const WORDS: [&str; 16] =
        ["y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "n", "N", "no", "No", "NO", "off", "Off", "OFF"];
    WORDS.contains(&text) || is_base_60(text)
}

/// `[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?`
fn is_base_60(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = whole.split(':');
    let first = parts.next().unwrap_or_default();
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let sixtieth = |part: &str| match part.as_bytes() {
        [digit] => digit.is_ascii_digit(),
        [tens, digit] => (b'0'..=b'5').contains(tens) && digit.is_ascii_digit(),
        _ => false,
    };
    let begins = first.starts_with(|c: char| c.is_ascii_digit()) && digits(first) && digits(fraction);
    begins && whole.contains(':') && parts.all(sixtieth)
}

fn analyse(text: &str) -> Findings {
    let mut findings = Findings {
        indicator: text.starts_with("---") || text.starts_with("..."),
        edge_blank: text.starts_with(is_blank_or_break) || text.ends_with(is_blank_or_break),
        trailing_space: text.ends_with(' '),
        ..Findings::default()
    };
    let characters: Vec<char> = text.chars().collect();
    for (index, &c) in characters.iter().enumerate() {
        let before = index.checked_sub(1).map(|before| characters[before]);
        let after = characters.get(index + 1).copied();
        let blank_after = after.is_none_or(|after| is_blank_or_break(after) || after == '\t');
        let blank_before = before.is_none_or(|before| is_blank_or_break(before) || before == '\t');
        findings.indicator |= match c {
            '#' => blank_before,
            ':' => blank_after,
            '?' | '-' => index == 0 && blank_after,
            ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' => index == 0,
            _ => false,
        };
        findings.tab |= c == '\t';
        findings.special |= c != '\t' && !is_printable(c);
        findings.breaks |= is_break(c);
        findings.space_before_break |= is_break(c) && before == Some(' ');
        findings.space_after_break |= c == ' ' && before.is_some_and(is_break);
    }
    findings
}

fn is_blank_or_break(c: char) -> bool {
    c == ' ' || is_break(c)
}

fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Returns whether go-yaml writes a character as it is: nothing outside of the basic plane is.
fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}') && c != '\u{feff}'
}

/// Writes a text in double quotes.
pub(super) fn double_quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        let code = u32::from(c);
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\0' => out.push_str("\\0"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\u{1b}' => out.push_str("\\e"),
            '\u{85}' => out.push_str("\\N"),
            '\u{2028}' => out.push_str("\\L"),
            '\u{2029}' => out.push_str("\\P"),
            c if is_printable(c) => out.push(c),
            _ if code <= 0xFF => out.push_str(&format!("\\x{code:02X}")),
            _ if code <= 0xFFFF => out.push_str(&format!("\\u{code:04X}")),
            _ => out.push_str(&format!("\\U{code:08X}")),
        }
    }
    out.push('"');
    out
}

/// Writes a float with its shortest digits, and with an exponent below 1e-4 and from 1e6.
pub(super) fn float(value: f64) -> String {
    if value.is_nan() {
        return ".nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let magnitude = value.abs();
    if magnitude == 0.0 || (1e-4..1e6).contains(&magnitude) {
        return value.to_string();
    }
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    format!("{mantissa}e{sign}{exponent:0>2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        match style(text, false) {
            Style::Plain => text.to_owned(),
            Style::Single => format!("'{text}'"),
            Style::Double => double_quoted(text),
            Style::Literal => "|".to_owned(),
        }
    }

    #[test]
    fn texts_are_quoted_as_go_yaml_quotes_them() {
        let cases = [
            ("", "\"\""),
            ("1", "\"1\""),
            ("0x1F", "\"0x1F\""),
            ("yes", "\"yes\""),
            ("22:22", "\"22:22\""),
            ("1000:1000", "1000:1000"),
            ("2024-01-01", "\"2024-01-01\""),
            ("-p", "-p"),
            ("- p", "'- p'"),
            ("c 1:3 mr", "c 1:3 mr"),
            ("a: b", "'a: b'"),
            ("a:", "'a:'"),
            ("a #b", "'a #b'"),
            ("a#b", "a#b"),
            ("*.log", "'*.log'"),
            ("a, [b] {c}", "a, [b] {c}"),
            ("[b]", "'[b]'"),
            ("$x @y `z`", "$x @y `z`"),
            ("@y", "'@y'"),
            (" a", "' a'"),
            ("a\tb", "\"a\\tb\""),
            ("a\nb", "|"),
            ("a \nb", "\"a \\nb\""),
            ("it's", "it's"),
            ("é", "é"),
            ("\u{1F600}", "\"\\U0001F600\""),
            ("<<", "\"<<\""),
            ("---x", "'---x'"),
            ("~", "\"~\""),
        ];
        for (text, expected) in cases {
            assert_eq!(written(text), expected, "{text}");
        }
    }

    #[test]
    fn floats_are_written_as_go_yaml_writes_them() {
        let cases =
            [(0.5, "0.5"), (1e6, "1e+06"), (1_234_567.5, "1.2345675e+06"), (1e-5, "1e-05"), (999_999.0, "999999")];
        for (value, expected) in cases {
            assert_eq!(float(value), expected);
        }
    }
}
