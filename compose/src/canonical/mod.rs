//! The one form of every value: long syntax, bytes, durations, lists.
//!
//! Runs in the command; pure. Takes a merged document that has the shape of the tables and gives the document from which
//! the model is read and `config` is printed. What says nothing is left out.

mod command;
mod device;
mod hosts;
mod mount;
mod port;
mod request;
mod scalar;
mod ssh;
mod words;

pub(crate) use port::range as port_range;
pub use words::split_words;

use crate::diagnostic::{Diagnostic, Fault};
use crate::forms;
use crate::schema::{Field, Object, Repeats, Shape, identity};
use crate::yaml::{Entry, Map, Node, Value};

/// What was found that does not mean what its attribute wants.
#[derive(Default)]
pub(crate) struct Misread {
    /// What cannot be read.
    pub faults: Vec<Diagnostic>,
    /// What the reference passes over.
    pub warnings: Vec<Diagnostic>,
    /// Whether what cannot be read is no fault: variables that were not replaced may stand in it.
    kept: bool,
}

impl Misread {
    pub(crate) fn new(kept: bool) -> Self {
        Self { kept, ..Self::default() }
    }

    fn note(&mut self, fault: Diagnostic) {
        if !self.kept {
            self.faults.push(fault);
        }
    }

    /// Returns what was read, or `node` where it could not be.
    fn or(&mut self, node: Node, read: impl FnOnce(Node) -> Result<Node, Fault>) -> Node {
        let kept = node.clone();
        read(node).unwrap_or_else(|fault| {
            self.note(*fault);
            kept
        })
    }
}

/// Makes `node`, of shape `shape` at the attribute path `path`, canonical. A size, a duration, a port, a mount … that
/// cannot be read goes to `misread`.
pub(crate) fn canonical(node: Node, shape: &Shape, path: &str, misread: &mut Misread) -> Node {
    match shape {
        Shape::List(item, repeats) => list(node, item, *repeats, path, misread),
        Shape::TextOrList(repeats) => list(forms::list(node), &Shape::Text, *repeats, path, misread),
        Shape::EnvFiles => items(forms::list(node), shape, Repeats::Replace, path, misread),
        Shape::Gpus => items(request::all(node), shape, Repeats::Keep, path, misread),
        Shape::KeyValues { empty } => texts(forms::key_values(node), *empty),
        Shape::TextMap(_) => texts(node, true),
        Shape::Named(item) => members(node, item, path, misread),
        Shape::NamesOr(item) => members(forms::names(node, item), item, path, misread),
        Shape::Ulimits => ulimits(node, path, misread),
        Shape::ShortOr(key, object) => fields(forms::long(node, key), object, path, misread),
        Shape::Object(object) | Shape::NullOr(object) => fields(node, object, path, misread),
        Shape::DeviceRequest(object) => {
            let node = fields(node, object, path, misread);
            misread.or(node, |node| request::canonical(node, path))
        }
        Shape::Mount | Shape::Device if node.as_map().is_some() => {
            let node = shape.object().map_or(node.clone(), |object| fields(node, object, path, misread));
            misread.or(node, |node| long(node, shape, path))
        }
        Shape::Mount => {
            let unknown = mount::unknown_options(&node, path);
            misread.warnings.extend(unknown);
            misread.or(node, |node| mount::short(node, path))
        }
        Shape::Logging => shape.object().map_or(node.clone(), |object| fields(node, object, path, misread)),
        _ => misread.or(node, |node| value(node, shape, path)),
    }
}

/// Makes a mount or a device in its long form canonical.
fn long(node: Node, shape: &Shape, path: &str) -> Result<Node, Fault> {
    if matches!(shape, Shape::Mount) { mount::long(node, path) } else { device::long(node, path) }
}

/// Makes a value canonical that is no list and has no fields.
fn value(node: Node, shape: &Shape, path: &str) -> Result<Node, Fault> {
    match shape {
        Shape::Integer(_) | Shape::StrictNumber | Shape::StrictInteger => scalar::integer(node, path),
        Shape::Natural(_) => scalar::natural(node, path),
        Shape::Between(low, high) => scalar::between(node, *low..=*high, path),
        Shape::Count => scalar::count(node, path),
        Shape::Number => scalar::number(node, path),
        Shape::Boolean | Shape::StrictBoolean => scalar::boolean(node, path),
        Shape::Size(_) => scalar::size(node, path),
        Shape::Duration => scalar::duration(node, path),
        Shape::OctalText => scalar::octal(&node, path).map(|mode| node.text_here(format!("0{mode:o}"))),
        Shape::OctalNumber => scalar::octal(&node, path).map(|mode| node.here(Value::Int(mode))),
        Shape::TextOrNumber | Shape::TextOrBoolean => Ok(text(node)),
        Shape::Command => command::canonical(node, path),
        Shape::Probe => command::probe(node, path),
        Shape::TextsMap => Ok(text_lists(node)),
        Shape::Ssh => ssh::canonical(node, path),
        Shape::ExtraHosts => hosts::canonical(node, path),
        Shape::Device => device::short(node, path),
        Shape::External if node.as_map().is_none() => scalar::boolean(node, path),
        // Ports stand in lists only, where one text may be several.
        _ => Ok(node),
    }
}

/// Makes the values of known keys canonical and leaves out what says nothing.
fn fields(node: Node, object: &'static Object, path: &str, misread: &mut Misread) -> Node {
    let Value::Map(map) = node.value else { return node };
    let mut entries = Vec::with_capacity(map.0.len());
    for Entry { key, at, value } in map.0 {
        let Some(field) = object.field(&key) else {
            entries.push(Entry { key, at, value });
            continue;
        };
        let value = match value.value {
            Value::Null => continue,
            _ => canonical(value, &field.shape, &join(path, &key), misread),
        };
        if says_something(&value, field) {
            entries.push(Entry { key, at, value });
        }
    }
    let node = Node::new(Value::Map(Map(entries)), node.span);
    match object.field("external") {
        Some(_) => misread.or(node, |node| old_external_name(node, path)),
        None => node,
    }
}

/// Moves the name of the older `external: {name: …}` to where it stands today.
fn old_external_name(mut node: Node, path: &str) -> Result<Node, Fault> {
    let Some(external) = node.get("external").filter(|external| external.as_map().is_some()).cloned() else {
        return Ok(node);
    };
    let name = external.get("name").cloned();
    if let (Some(name), Some(given)) = (&name, node.get("name"))
        && name.as_text() != given.as_text()
    {
        let fault = Diagnostic::error(format!("`{path}` has a `name` and another one in `external`"));
        return Err(Box::new(fault.at(&given.span).label(&name.span, "and here").hint("only `name` is needed")));
    }
    if let Some(map) = node.as_map_mut() {
        map.set("external", external.here(Value::Bool(true)));
        name.into_iter().for_each(|name| map.set("name", name));
    }
    Ok(node)
}

fn says_something(value: &Node, field: &Field) -> bool {
    field.keep_zero
        || match &value.value {
            Value::Null => false,
            Value::Bool(value) => *value,
            Value::Int(value) => *value != 0,
            Value::Float(value) => *value != 0.0,
            Value::Text(text) => match field.shape {
                Shape::Size(_) => text != "0",
                Shape::Duration => text != "0s",
                _ => !text.is_empty(),
            },
            Value::List(items) => !items.is_empty(),
            Value::Map(map) => !map.0.is_empty(),
        }
}

fn members(node: Node, item: &Shape, path: &str, misread: &mut Misread) -> Node {
    let Value::Map(map) = node.value else { return node };
    let entry = |Entry { key, at, value }: Entry| {
        let value = if value.is_null() { value } else { canonical(value, item, &join(path, &key), misread) };
        Entry { key, at, value }
    };
    let entries = map.0.into_iter().map(entry).collect();
    Node::new(Value::Map(Map(entries)), node.span)
}

/// Makes limits numbers: one, or `{soft, hard}`.
fn ulimits(node: Node, path: &str, misread: &mut Misread) -> Node {
    let Value::Map(map) = node.value else { return node };
    let entry = |Entry { key, at, value }: Entry| {
        let path = join(path, &key);
        let value = match (&value.value, Shape::Ulimits.item()) {
            (Value::Map(_), Some(limit)) => canonical(value, limit, &path, misread),
            _ => misread.or(value, |value| scalar::integer(value, &path)),
        };
        Entry { key, at, value }
    };
    Node::new(Value::Map(Map(map.0.into_iter().map(entry).collect())), node.span)
}

/// Makes the items of a shape that knows their form canonical.
fn items(node: Node, shape: &Shape, repeats: Repeats, path: &str, misread: &mut Misread) -> Node {
    match shape.item() {
        Some(item) => list(node, item, repeats, path, misread),
        None => node,
    }
}

fn list(node: Node, item: &Shape, repeats: Repeats, path: &str, misread: &mut Misread) -> Node {
    let Value::List(items) = node.value else { return node };
    let mut result: Vec<Node> = Vec::with_capacity(items.len());
    let mut places = std::collections::HashMap::new();
    for (index, value) in items.into_iter().enumerate() {
        let path = format!("{path}[{index}]");
        let values = match item {
            Shape::Port => ports(value, &path, misread),
            _ => vec![canonical(value, item, &path, misread)],
        };
        for value in values {
            let name = identity(item, &value).filter(|_| repeats == Repeats::Replace);
            match name.map(|name| *places.entry(name).or_insert(result.len())) {
                Some(place) if place < result.len() => result[place] = value,
                _ => result.push(value),
            }
        }
    }
    Node::new(Value::List(result), node.span)
}

/// Makes one or, for a range of target ports, several mappings of an item.
fn ports(node: Node, path: &str, misread: &mut Misread) -> Vec<Node> {
    let node = match Shape::Port.object() {
        Some(object) if node.as_map().is_some() => fields(node, object, path, misread),
        _ => node,
    };
    port::canonical(&node, path).unwrap_or_else(|fault| {
        misread.note(*fault);
        vec![node]
    })
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

/// Makes every value of a mapping a list of texts.
fn text_lists(node: Node) -> Node {
    let Value::Map(map) = node.value else { return node };
    let entry = |Entry { key, at, value }: Entry| {
        let Node { value, span, directive } = forms::list(value);
        let items = if let Value::List(items) = value { items } else { Vec::new() };
        let value = Node { value: Value::List(items.into_iter().map(text).collect()), span, directive };
        Entry { key, at, value }
    };
    Node::new(Value::Map(Map(map.0.into_iter().map(entry).collect())), node.span)
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
