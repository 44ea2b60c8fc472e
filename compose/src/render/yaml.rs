//! YAML: block style, two blanks of indentation, as go-yaml writes it.

use super::scalar::{Style, double_quoted, float, style};
use crate::yaml::{Entry, Node, Value};

/// Writes a whole document, keys in the order in which they stand.
pub(super) fn document(node: &Node) -> String {
    let mut out = String::new();
    write_entries(node.entries(), 0, &mut out);
    out
}

fn write_entries(entries: &[Entry], level: usize, out: &mut String) {
    for entry in entries {
        indent(level, out);
        out.push_str(&scalar(&entry.key, true));
        out.push(':');
        write_after_key(&entry.value, level, out);
    }
}

/// Writes a value behind `key:` or `-`, with the newline at its end.
fn write_after_key(node: &Node, level: usize, out: &mut String) {
    match &node.value {
        Value::Map(map) if !map.0.is_empty() => {
            out.push('\n');
            write_entries(&map.0, level + 1, out);
        }
        Value::List(items) if !items.is_empty() => {
            out.push('\n');
            write_items(items, level + 1, out);
        }
        Value::Text(text) if matches!(style(text, false), Style::Literal) => write_block(text, level + 1, out),
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
        // What begins in a line of its own stands behind the dash, the rest below it.
        let mut lines = String::new();
        match &item.value {
            Value::Map(map) if !map.0.is_empty() => write_entries(&map.0, level + 1, &mut lines),
            Value::List(items) if !items.is_empty() => write_items(items, level + 1, &mut lines),
            _ => write_after_key(item, level, out),
        }
        if !lines.is_empty() {
            out.push(' ');
            out.push_str(lines.trim_start_matches(' '));
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
        Value::Text(text) => scalar(text, false),
        Value::Float(value) => float(*value),
        _ => node.scalar_text().unwrap_or_default(),
    }
}

fn write_block(text: &str, level: usize, out: &mut String) {
    let trailing = text.len() - text.trim_end_matches('\n').len();
    let chomping = match trailing {
        0 => "-",
        1 if text.len() > 1 => "",
        _ => "+",
    };
    // A first line that is blank or begins with a blank does not show the indentation.
    let hint = if text.starts_with([' ', '\n']) { "2" } else { "" };
    out.push_str(&format!(" |{hint}{chomping}\n"));
    let body = if trailing > 0 { &text[..text.len() - 1] } else { text };
    for line in body.split('\n') {
        if !line.is_empty() {
            indent(level, out);
            out.push_str(line);
        }
        out.push('\n');
    }
}

fn scalar(text: &str, is_key: bool) -> String {
    match style(text, is_key) {
        Style::Plain => text.to_owned(),
        Style::Single => format!("'{}'", text.replace('\'', "''")),
        Style::Double | Style::Literal => double_quoted(text),
    }
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
            let read = parse(&file(&written), &mut Vec::new()).map_err(|fault| TestCaseError::fail(format!("{fault}\n{written}")))?;
            prop_assert_eq!(values(&read[0]), values(&document), "{}", written);
        }
    }
}
