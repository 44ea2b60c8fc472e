//! What an untagged plain scalar is.

use super::node::Value;
use super::timestamp;

/// Resolves a plain scalar as go-yaml v4 does, the reader of Docker Compose.
///
/// That is the YAML 1.2 core schema (so `yes`, `on` and `22:22` are text) with the forms of YAML 1.1 that go-yaml kept:
/// `0755` is octal, `0b101` binary, `1_000` a thousand, and a date becomes the text in which Go writes it.
pub(super) fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Value::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Value::Float(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => Value::Float(f64::NAN),
        _ => number(text).unwrap_or_else(|| Value::Text(timestamp::written(text).unwrap_or_else(|| text.to_owned()))),
    }
}

/// Resolves a number; [`None`] when the text is none.
pub(super) fn number(text: &str) -> Option<Value> {
    if !text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '+' | '-' | '.')) {
        return None;
    }
    let digits = text.replace('_', "");
    integer(&digits).map(Value::Int).or_else(|| float(&digits).map(Value::Float))
}

/// Reads a decimal, hexadecimal, octal or binary integer of at most 64 bits.
fn integer(text: &str) -> Option<i128> {
    let (negative, magnitude) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = match magnitude.get(..2).map(str::to_ascii_lowercase).as_deref() {
        Some("0x") => (16, &magnitude[2..]),
        Some("0o") => (8, &magnitude[2..]),
        Some("0b") => (2, &magnitude[2..]),
        _ if magnitude.len() > 1 && magnitude.starts_with('0') => (8, &magnitude[1..]),
        _ => (10, magnitude),
    };
    // A second sign would be accepted by the standard parser.
    if !digits.starts_with(|first: char| first.is_ascii_hexdigit()) {
        return None;
    }
    let value = i128::from_str_radix(digits, radix).ok()?;
    let value = if negative { -value } else { value };
    (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&value).then_some(value)
}

/// Reads `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`.
fn float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let well_formed = all_digits(whole)
        && all_digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|exponent| !exponent.is_empty() && all_digits(exponent));
    if well_formed { text.parse().ok() } else { None }
}

/// Returns whether a text that is written without quotes reads as itself.
pub(crate) fn resolves_to_text(text: &str) -> bool {
    text != "<<" && matches!(resolve(text), Value::Text(read) if read == text)
}

/// Formats a float as Go's `%v`: the shortest digits, with an exponent below 1e-4 and from 1e21.
pub(crate) fn format_float(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-4..1e21).contains(&magnitude) {
        let text = format!("{value:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
        return format!("{mantissa}e{sign}{digits:0>2}");
    }
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_are_what_go_yaml_makes_of_them() {
        let text = |text: &str| Value::Text(text.to_owned());
        let cases = [
            ("~", Value::Null),
            ("TRUE", Value::Bool(true)),
            ("yes", text("yes")),
            ("22:22", text("22:22")),
            ("0755", Value::Int(493)),
            ("0o17", Value::Int(15)),
            ("0x1F", Value::Int(31)),
            ("0b101", Value::Int(5)),
            ("1_000", Value::Int(1000)),
            ("-7", Value::Int(-7)),
            ("+-7", text("+-7")),
            ("12345678901234567890", Value::Int(12_345_678_901_234_567_890)),
            ("123456789012345678901", Value::Float(123_456_789_012_345_678_901.0)),
            ("1e3", Value::Float(1000.0)),
            ("089", Value::Float(89.0)),
            (".5", Value::Float(0.5)),
            ("1.2.3", text("1.2.3")),
            ("2024-02-30", text("2024-02-30")),
            ("2024-02-29", text("2024-02-29 00:00:00 +0000 UTC")),
            ("0x", text("0x")),
            ("-", text("-")),
            (".", text(".")),
            ("inf", text("inf")),
        ];
        for (source, value) in cases {
            assert_eq!(resolve(source), value, "{source}");
        }
    }

    #[test]
    fn floats_are_written_as_go_writes_them() {
        let cases = [(1.5, "1.5"), (1000.0, "1000"), (1e21, "1e+21"), (1e-5, "1e-05"), (0.0, "0"), (-2.25, "-2.25")];
        for (value, text) in cases {
            assert_eq!(format_float(value), text);
        }
    }
}
