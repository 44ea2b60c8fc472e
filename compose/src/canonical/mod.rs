//! The one form of every value: long syntax, bytes, durations, lists.
//!
//! Runs in the command; pure. Takes a merged document that has the shape of the tables and gives the document from which
//! the model is read and `config` is printed. What says nothing is left out.

mod device;
mod mount;
mod port;
mod scalar;
mod words;

pub(crate) use port::range as port_range;

use crate::diagnostic::{Diagnostic, Fault};
use crate::forms;
use crate::schema::{DEVICE_REQUEST, Field, Object, Repeats, Shape, identity};
use crate::yaml::{Entry, Map, Node, Value};

/// Makes `node`, of shape `shape` at the attribute path `path`, canonical.
///
/// # Errors
/// A text that does not mean what its attribute wants: a size, a duration, a port, a mount …
pub(crate) fn canonical(node: Node, shape: &Shape, path: &str) -> Result<Node, Fault> {
    match shape {
        Shape::Integer => scalar::integer(node, path),
        Shape::Count => scalar::count(node, path),
        Shape::Number => scalar::number(node, path),
        Shape::Boolean => scalar::boolean(node, path),
        Shape::Size => scalar::size(node, path),
        Shape::Duration => scalar::duration(node, path),
        Shape::OctalText => scalar::octal(node, path).map(|(node, mode)| node.text_here(format!("0{mode:o}"))),
        Shape::OctalNumber => scalar::octal(node, path).map(|(node, mode)| node.here(Value::Int(mode))),
        Shape::TextOrNumber => Ok(text(node)),
        Shape::Command => command(node, path),
        Shape::Probe => probe(node, path),
        Shape::List(item, repeats) => list(node, item, *repeats, path),
        Shape::TextOrList(repeats) => list(forms::list(node), &Shape::Text, *repeats, path),
        Shape::EnvFiles => list(forms::list(node), &Shape::ShortOr("path", file_fields()), Repeats::Keep, path),
        Shape::KeyValues { empty } => Ok(texts(forms::key_values(node), *empty)),
        Shape::TextMap => Ok(texts(node, true)),
        Shape::ExtraHosts => Ok(forms::extra_hosts(node)),
        Shape::Named(item) => members(node, item, path),
        Shape::NamesOr(item) => members(forms::names(node, item), item, path),
        Shape::Ulimits => members(node, &Shape::Integer, path),
        Shape::Gpus => gpus(node, path),
        Shape::ShortOr(key, object) => fields(forms::long(node, key), object, path),
        Shape::Mount => mount::canonical(node, path),
        Shape::Device => device::canonical(node, path),
        Shape::Object(object) | Shape::NullOr(object) => fields(node, object, path),
        Shape::Logging => shape.object().map_or(Ok(node.clone()), |object| fields(node, object, path)),
        Shape::External => external(node, path),
        Shape::Any | Shape::Text | Shape::Word(_) | Shape::Scalar | Shape::StrictNumber | Shape::Path => Ok(node),
        // Ports stand in lists only, where one text may be several.
        Shape::Port => Ok(node),
    }
}

fn file_fields() -> &'static Object {
    Shape::EnvFiles.object().expect("env_file is a table of its own")
}

/// Makes the values of known keys canonical and leaves out what says nothing.
pub(super) fn fields(node: Node, object: &'static Object, path: &str) -> Result<Node, Fault> {
    let Value::Map(map) = node.value else { return Ok(node) };
    let mut entries = Vec::with_capacity(map.0.len());
    for Entry { key, at, value } in map.0 {
        let Some(field) = object.field(&key) else {
            entries.push(Entry { key, at, value });
            continue;
        };
        let value = match value.value {
            Value::Null => continue,
            _ => canonical(value, &field.shape, &join(path, &key))?,
        };
        if says_something(&value, field) {
            entries.push(Entry { key, at, value });
        }
    }
    let mut map = Map(entries);
    old_external_name(&mut map);
    if std::ptr::eq(object, &DEVICE_REQUEST) && !map.contains("count") && !map.contains("device_ids") {
        map.set("count", Node::new(Value::Int(-1), node.span.clone()));
    }
    Ok(Node::new(Value::Map(map), node.span))
}

/// Moves the name of the older `external: {name: …}` to where it stands today.
fn old_external_name(map: &mut Map) {
    let Some(name) = map.get("external").and_then(|external| external.get("name")).cloned() else { return };
    let external = name.here(Value::Bool(true));
    map.set("external", external);
    if !map.contains("name") {
        map.set("name", name);
    }
}

fn says_something(value: &Node, field: &Field) -> bool {
    field.keep_zero
        || match &value.value {
            Value::Null => false,
            Value::Bool(value) => *value,
            Value::Int(value) => *value != 0,
            Value::Float(value) => *value != 0.0,
            Value::Text(text) => !(text.is_empty() || (matches!(field.shape, Shape::Size) && text == "0")),
            Value::List(items) => !items.is_empty(),
            Value::Map(map) => !map.0.is_empty(),
        }
}

fn members(node: Node, item: &Shape, path: &str) -> Result<Node, Fault> {
    let Value::Map(map) = node.value else { return Ok(node) };
    let entry = |Entry { key, at, value }: Entry| {
        let value = match (&value.value, item) {
            // `{soft, hard}` of a limit: each a number.
            (Value::Map(_), Shape::Integer) => members(value, item, &join(path, &key))?,
            (Value::Null, _) => value,
            _ => canonical(value, item, &join(path, &key))?,
        };
        Ok(Entry { key, at, value })
    };
    let entries = map.0.into_iter().map(entry).collect::<Result<_, Fault>>()?;
    Ok(Node::new(Value::Map(Map(entries)), node.span))
}

fn list(node: Node, item: &Shape, repeats: Repeats, path: &str) -> Result<Node, Fault> {
    let Value::List(items) = node.value else { return Ok(node) };
    let mut result: Vec<Node> = Vec::with_capacity(items.len());
    for (index, value) in items.into_iter().enumerate() {
        let path = format!("{path}[{index}]");
        let values = match item {
            Shape::Port => port::canonical(value, &path)?,
            _ => vec![canonical(value, item, &path)?],
        };
        for value in values {
            let same = |other: &Node| identity(item, &value).is_some_and(|name| identity(item, other) == Some(name));
            match result.iter().position(same) {
                Some(first) if repeats == Repeats::Replace => result[first] = value,
                _ => result.push(value),
            }
        }
    }
    Ok(Node::new(Value::List(result), node.span))
}

fn text(node: Node) -> Node {
    match node.scalar_text() {
        Some(text) => node.text_here(text),
        None => node,
    }
}

/// Makes every value of a mapping a text; `empty` says whether nothing is the empty text.
fn texts(node: Node, empty: bool) -> Node {
    let Value::Map(map) = node.value else { return node };
    let entry = |Entry { key, at, value }: Entry| {
        let value = if value.is_null() && empty { value.text_here("") } else { text(value) };
        Entry { key, at, value }
    };
    Node::new(Value::Map(Map(map.0.into_iter().map(entry).collect())), node.span)
}

fn command(node: Node, path: &str) -> Result<Node, Fault> {
    let Some(line) = node.as_text() else { return Ok(node) };
    let Some(words) = words::split(line) else {
        let fault = Diagnostic::error(format!("`{path}` ends within a quote")).at(&node.span);
        return Err(Box::new(fault.hint("write the command as a list to leave the quotes alone")));
    };
    let items = words.into_iter().map(|word| node.text_here(word)).collect();
    Ok(node.here(Value::List(items)))
}

fn probe(node: Node, path: &str) -> Result<Node, Fault> {
    match &node.value {
        Value::Text(line) if line.is_empty() => Ok(node.here(Value::Null)),
        Value::Text(line) => {
            let words = vec![node.text_here("CMD-SHELL"), node.text_here(line.clone())];
            Ok(node.here(Value::List(words)))
        }
        Value::List(items) => match items.first().and_then(Node::as_text) {
            None | Some("NONE" | "CMD" | "CMD-SHELL") => Ok(node),
            Some(first) => {
                let message = format!("`{path}` must begin with NONE, CMD or CMD-SHELL, not `{first}`");
                let fault = Diagnostic::error(message).at(&items[0].span);
                Err(Box::new(fault.hint("write it as one text to run it in a shell")))
            }
        },
        _ => Ok(node),
    }
}

fn gpus(node: Node, path: &str) -> Result<Node, Fault> {
    let request = Shape::Object(&DEVICE_REQUEST);
    if node.as_text().is_some() {
        let all = fields(forms::long(node.clone(), "count"), &DEVICE_REQUEST, path)?;
        return Ok(node.here(Value::List(vec![all])));
    }
    list(node, &request, Repeats::Keep, path)
}

fn external(node: Node, path: &str) -> Result<Node, Fault> {
    if node.as_map().is_some() { Ok(node) } else { scalar::boolean(node, path) }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
