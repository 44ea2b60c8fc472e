//! YAML: block style, two blanks of indentation, texts quoted only where they must be.

use crate::yaml::{Entry, Node, Value, is_plain};

/// The sections of a document in the order in which people write them; the rest follows by the alphabet.
const SECTIONS: [&str; 6] = ["name", "services", "networks", "volumes", "secrets", "configs"];

/// Writes a whole document.
pub(super) fn document(node: &Node) -> String {
    let mut out = String::new();
    let mut entries = node.as_map().map(super::sorted).unwrap_or_default();
    let rank = |entry: &&Entry| SECTIONS.iter().position(|name| *name == entry.key).unwrap_or(SECTIONS.len());
    entries.sort_by_key(rank);
    write_entries(&entries, 0, &mut out);
    out
}

fn write_entries(entries: &[&Entry], level: usize, out: &mut String) {
    for entry in entries {
        indent(level, out);
        out.push_str(&scalar(&entry.key));
        out.push(':');
        write_after_key(&entry.value, level, out);
    }
}

/// Writes a value behind `key:` or `-`, with the newline at its end.
fn write_after_key(node: &Node, level: usize, out: &mut String) {
    match &node.value {
        Value::Map(map) if !map.0.is_empty() => {
            out.push('\n');
            write_entries(&super::sorted(map), level + 1, out);
        }
        Value::List(items) if !items.is_empty() => {
            out.push('\n');
            write_items(items, level + 1, out);
        }
        Value::Text(text) if is_block(text) => write_block(text, level + 1, out),
        _ => {
            out.push(' ');
            out.push_str(&inline(node));
            out.push('\n');
        }
    }
}

fn write_items(items: &[Node], level: usize, out: &mut String) {
    for item in items {
        indent(level, out);
        out.push('-');
        match &item.value {
            Value::Map(map) if !map.0.is_empty() => {
                // The first key stands behind the dash, the others below it.
                let mut lines = String::new();
                write_entries(&super::sorted(map), level + 1, &mut lines);
                out.push(' ');
                out.push_str(lines.trim_start_matches(' '));
            }
            _ => write_after_key(item, level, out),
        }
    }
}

fn indent(level: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', level * 2));
}

/// Returns a value that needs no lines of its own.
fn inline(node: &Node) -> String {
    match &node.value {
        Value::Null => "null".to_owned(),
        Value::List(_) => "[]".to_owned(),
        Value::Map(_) => "{}".to_owned(),
        Value::Text(text) => scalar(text),
        Value::Float(value) if value.is_nan() => ".nan".to_owned(),
        Value::Float(value) if value.is_infinite() => if *value > 0.0 { ".inf" } else { "-.inf" }.to_owned(),
        _ => node.scalar_text().unwrap_or_default(),
    }
}

/// Returns whether a text is best read as a block: several lines, nothing that a block cannot hold.
fn is_block(text: &str) -> bool {
    let printable = text.chars().all(|c| c == '\n' || c == '\t' || !c.is_control());
    let begins_plainly = !text.starts_with([' ', '\n', '\t']);
    text.trim_end_matches('\n').contains('\n')
        && printable
        && begins_plainly
        && !text.contains(['\u{85}', '\u{2028}', '\u{2029}'])
}

fn write_block(text: &str, level: usize, out: &mut String) {
    let trailing = text.len() - text.trim_end_matches('\n').len();
    let chomping = match trailing {
        0 => "-",
        1 => "",
        _ => "+",
    };
    out.push_str(&format!(" |{chomping}\n"));
    let body = if trailing > 0 { &text[..text.len() - 1] } else { text };
    for line in body.split('\n') {
        if !line.is_empty() {
            indent(level, out);
            out.push_str(line);
        }
        out.push('\n');
    }
}

fn scalar(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    if text.chars().any(|c| c.is_control() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}')) {
        return double_quoted(text);
    }
    // Double quotes read best; single ones where the text has many of what they would escape.
    if text.contains(['"', '\\']) { format!("'{}'", text.replace('\'', "''")) } else { format!("\"{text}\"") }
}

fn double_quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::diagnostic::{SourceText, Span};
    use crate::yaml::{Map, parse};

    fn file(text: &str) -> Arc<SourceText> {
        Arc::new(SourceText { path: PathBuf::from("c.yaml"), text: text.to_owned() })
    }

    /// A document with one text in every position: key, value, item.
    fn sample(text: &str) -> Node {
        let node = |value| Node::new(value, Span::new(file(""), 0..0));
        let leaf = || node(Value::Text(text.to_owned()));
        let mut inner = Map::default();
        inner.set(text, leaf());
        inner.set("list", node(Value::List(vec![leaf(), node(Value::Map(inner.clone()))])));
        let mut outer = Map::default();
        outer.set("services", node(Value::Map(inner)));
        node(Value::Map(outer))
    }

    fn values(node: &Node) -> String {
        super::super::json::compact(node)
    }

    proptest! {
        #[test]
        fn a_written_document_reads_as_itself(text in "[-:?{}\\[\\]&*!|>'\"%@`#,a~<=y0-9.+e_ \t\r\n\u{85}\u{a0}\u{2028}é$\\\\]{0,12}|true|null|0x1F|<<|\\PC*") {
            let document = sample(&text);
            let written = super::document(&document);
            let read = parse(&file(&written)).map_err(|fault| TestCaseError::fail(format!("{fault}\n{written}")))?;
            prop_assert_eq!(values(&read[0]), values(&document), "{}", written);
        }
    }
}
