//! JSON, as Go's encoder writes it.

use crate::yaml::{Entry, Node, Value};

/// Writes a document with two blanks of indentation and a final newline.
pub(super) fn pretty(node: &Node) -> String {
    let mut out = String::new();
    write(node, &mut out, Some(0));
    out.push('\n');
    out
}

/// Writes a document in one line.
pub(super) fn compact(node: &Node) -> String {
    let mut out = String::new();
    write(node, &mut out, None);
    out
}

/// Writes `node`; `level` is its depth when lines are broken.
fn write(node: &Node, out: &mut String, level: Option<usize>) {
    let inner = level.map(|level| level + 1);
    match &node.value {
        Value::Null => out.push_str("null"),
        // JSON has no infinite numbers.
        Value::Float(value) if !value.is_finite() => text(&node.scalar_text().unwrap_or_default(), out),
        Value::Float(value) => out.push_str(&float(*value)),
        Value::Bool(_) | Value::Int(_) => out.push_str(&node.scalar_text().unwrap_or_default()),
        Value::Text(value) => text(value, out),
        Value::List(items) => block(items, ('[', ']'), level, out, |item: &Node, out| write(item, out, inner)),
        Value::Map(map) => block(&map.0, ('{', '}'), level, out, |entry: &Entry, out| {
            text(&entry.key, out);
            out.push_str(if level.is_some() { ": " } else { ":" });
            write(&entry.value, out, inner);
        }),
    }
}

fn block<T>(
    items: &[T],
    brackets: (char, char),
    level: Option<usize>,
    out: &mut String,
    write: impl Fn(&T, &mut String),
) {
    let line = |level: usize, out: &mut String| {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', level * 2));
    };
    out.push(brackets.0);
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        level.into_iter().for_each(|level| line(level + 1, out));
        write(item, out);
    }
    level.filter(|_| !items.is_empty()).into_iter().for_each(|level| line(level, out));
    out.push(brackets.1);
}

/// Writes a number with its shortest digits, and with an exponent below 1e-6 and from 1e21.
fn float(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude == 0.0 || (1e-6..1e21).contains(&magnitude) {
        return value.to_string();
    }
    let text = format!("{value:e}");
    if magnitude < 1.0 { text } else { text.replace('e', "e+") }
}

/// Writes a JSON string (RFC 8259, section 7). What is dangerous within HTML is escaped too, as Go does.
fn text(value: &str, out: &mut String) {
    out.push('"');
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_go_writes_them() {
        let cases = [(0.5, "0.5"), (1e-5, "0.00001"), (1e-7, "1e-7"), (1e21, "1e+21"), (123_456_789.0, "123456789")];
        for (value, expected) in cases {
            assert_eq!(float(value), expected);
        }
    }
}
