//! One form for attributes that may be written in two: `KEY=VALUE` lists as mappings, texts as lists.
//!
//! Runs in the command; pure. Merging needs both sides in one form, and the canonical document has no other.

use crate::schema::Shape;
use crate::yaml::{Entry, Map, Node, Value};

/// Makes a mapping of a list of `KEY=VALUE`; `KEY` alone maps to null. The last of equal keys wins, in the place of the
/// first. What is no list stays.
pub(crate) fn key_values(node: Node) -> Node {
    let Value::List(items) = node.value else { return node };
    let mut map = Map::default();
    for item in items {
        // Anything but text is left to the check of types, under a key that cannot be missed.
        let text = item.as_text().unwrap_or_default();
        let (key, value) = match text.split_once('=') {
            Some((key, value)) => (key.to_owned(), Value::Text(value.to_owned())),
            None => (text.to_owned(), if item.as_text().is_some() { Value::Null } else { item.value.clone() }),
        };
        map.set(&key, item.here(value));
    }
    Node { value: Value::Map(map), span: node.span, directive: node.directive }
}

/// Makes a mapping of a list of names; each name maps to what `item` means when nothing is said.
pub(crate) fn names(node: Node, item: &Shape) -> Node {
    let Value::List(items) = node.value else { return node };
    let mut map = Map::default();
    for name in items {
        let value = if matches!(item, Shape::Object(_)) { started(&name) } else { name.here(Value::Null) };
        map.set(name.as_text().unwrap_or_default(), value);
    }
    Node { value: Value::Map(map), span: node.span, directive: node.directive }
}

/// What a name in a list of dependencies means.
fn started(name: &Node) -> Node {
    let entry = |key: &str, value: Value| Entry { key: key.to_owned(), at: name.span.clone(), value: name.here(value) };
    let condition = entry("condition", Value::Text("service_started".to_owned()));
    name.here(Value::Map(Map(vec![condition, entry("required", Value::Bool(true))])))
}

/// Makes a list of a single value. Null stays.
pub(crate) fn list(node: Node) -> Node {
    match node.value {
        Value::List(_) | Value::Null => node,
        value => {
            let item = Node::new(value, node.span.clone());
            Node { value: Value::List(vec![item]), span: node.span, directive: node.directive }
        }
    }
}

/// Makes a mapping of a text, with `key` for the text.
pub(crate) fn long(node: Node, key: &str) -> Node {
    match node.value {
        Value::Text(_) => {
            let directive = node.directive;
            let at = node.span.clone();
            let value = Node::new(node.value, at.clone());
            let map = Map(vec![Entry { key: key.to_owned(), at: at.clone(), value }]);
            Node { value: Value::Map(map), span: at, directive }
        }
        _ => node,
    }
}

/// Makes a list of `host=address` of a mapping from hosts to one or several addresses, and writes `=` for the older `:`.
pub(crate) fn extra_hosts(node: Node) -> Node {
    let items = match &node.value {
        Value::Map(map) => map.0.iter().flat_map(host_entries).collect(),
        Value::List(items) => items.iter().map(host_line).collect(),
        _ => return node,
    };
    Node { value: Value::List(items), span: node.span, directive: node.directive }
}

fn host_entries(entry: &Entry) -> Vec<Node> {
    let addresses = match &entry.value.value {
        Value::List(items) => items.iter().collect(),
        _ => vec![&entry.value],
    };
    let line = |address: &Node| {
        address.text_here(format!("{}={}", entry.key, unbracketed(address.as_text().unwrap_or_default())))
    };
    addresses.into_iter().map(line).collect()
}

fn host_line(item: &Node) -> Node {
    let Some(text) = item.as_text() else { return item.clone() };
    // The first `=` separates; without one the first `:`, for the rest may be an IPv6 address.
    let separator = text.find('=').or_else(|| text.find(':'));
    match separator {
        Some(at) => item.text_here(format!("{}={}", &text[..at], unbracketed(&text[at + 1..]))),
        None => item.clone(),
    }
}

fn unbracketed(address: &str) -> &str {
    address.strip_prefix('[').and_then(|address| address.strip_suffix(']')).unwrap_or(address)
}
