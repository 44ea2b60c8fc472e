//! JSON.

use crate::yaml::{Node, Value};

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
        Value::Bool(_) | Value::Int(_) | Value::Float(_) => out.push_str(&node.scalar_text().unwrap_or_default()),
        Value::Text(value) => text(value, out),
        Value::List(items) => {
            let write_item = |item: &&Node, out: &mut String| write(item, out, inner);
            block(&items.iter().collect::<Vec<_>>(), ('[', ']'), level, out, write_item);
        }
        Value::Map(map) => block(&super::sorted(map), ('{', '}'), level, out, |entry, out| {
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

/// Writes a JSON string (RFC 8259, section 7).
fn text(value: &str, out: &mut String) {
    out.push('"');
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}
