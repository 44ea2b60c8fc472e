//! Whether a merged document has the shape of the tables.
//!
//! Runs in the command; pure. Types and keys only: what a text means is found out where it is made canonical. Null is a
//! value like any other: as in the reference, a key with nothing behind it is an error unless its shape says otherwise.

use super::expected::expected;
use super::service::{ENV_FILE_ITEM, ULIMIT};
use super::shape::{Numbers, Object, Repeats, Scalars, Shape, identity};
use super::suggest::nearest;
use crate::diagnostic::Diagnostic;
use crate::yaml::{Entry, Node, Value};

/// Checks `node`, which stands at the attribute path `path`, against `shape`, and notes every unknown key, missing key,
/// wrong type and repeated item in `faults`.
pub(crate) fn check(node: &Node, shape: &Shape, path: &str, faults: &mut Vec<Diagnostic>) {
    match (shape, &node.value) {
        (Shape::Word(words), Value::Text(text)) => word(node, text, words, path, faults),
        (Shape::Gpus, Value::Text(text)) => word(node, text, &["all"], path, faults),
        (Shape::Matching(matches, _), Value::Text(text)) if matches(text) => {}
        (Shape::Between(low, high), Value::Int(value)) => {
            if !(low..=high).contains(&value) {
                faults.push(at(node, format!("`{path}` must be a whole number from {low} to {high}, not `{value}`")));
            }
        }
        (Shape::Command | Shape::Probe, Value::List(items)) => all(items, &Shape::Text, path, faults),
        (Shape::List(item, repeats), Value::List(items)) => list(items, item, *repeats, path, faults),
        (Shape::TextOrList(repeats), Value::List(items)) => list(items, &Shape::Text, *repeats, path, faults),
        (Shape::NamesOr(_) | Shape::ExtraHosts, Value::List(items)) => {
            list(items, &Shape::Text, Repeats::Refuse, path, faults);
        }
        (Shape::Named(item) | Shape::NamesOr(item), Value::Map(map)) => {
            map.0.iter().for_each(|entry| named(entry, item, path, faults));
        }
        (Shape::KeyValues { empty }, Value::List(items)) => {
            all(items, &Shape::Text, path, faults);
            items.iter().filter(|_| !empty).for_each(|item| key_of_pair(item, path, faults));
        }
        (Shape::KeyValues { .. } | Shape::Ssh, Value::Map(map)) => scalars(&map.0, Scalars::Any, path, faults),
        (Shape::Ssh, Value::List(items)) => all(items, &Shape::Text, path, faults),
        (Shape::TextMap(kinds), Value::Map(map)) => scalars(&map.0, *kinds, path, faults),
        (Shape::TextsMap, Value::Map(map)) => map.0.iter().for_each(|entry| texts(entry, path, faults)),
        (Shape::ExtraHosts, Value::Map(map)) => {
            map.0.iter().for_each(|entry| member(entry, &Shape::TextOrList(Repeats::Keep), path, faults));
        }
        (Shape::Ulimits, Value::Map(map)) => map.0.iter().for_each(|entry| ulimit(entry, path, faults)),
        (Shape::Gpus, Value::List(items)) => all(items, &super::deploy::GPU, path, faults),
        (Shape::EnvFiles, Value::List(items)) => all(items, &ENV_FILE_ITEM, path, faults),
        (Shape::External, Value::Map(_)) => object(node, &EXTERNAL, path, faults),
        (shape, Value::Map(_)) if !matches!(shape, Shape::EnvFiles) && shape.object().is_some() => {
            shape.object().into_iter().for_each(|fields| object(node, fields, path, faults));
        }
        (shape, value) if takes(shape, value) => {}
        _ => faults.push(wrong_type(node, shape, path)),
    }
}

/// Returns whether a shape takes a scalar of this type, whatever it says.
fn takes(shape: &Shape, value: &Value) -> bool {
    match value {
        Value::Null => {
            matches!(shape, Shape::Any | Shape::Command | Shape::TextOrNull | Shape::NullOr(_))
        }
        Value::Bool(_) => {
            matches!(shape, Shape::Any | Shape::TextOrBoolean | Shape::Boolean | Shape::StrictBoolean | Shape::External)
        }
        Value::Int(value) => match numbers(shape) {
            Some(numbers) => numbers != Numbers::None && (numbers != Numbers::Natural || *value >= 0),
            None => matches!(shape, Shape::Any | Shape::Port | Shape::OctalText | Shape::OctalNumber),
        },
        Value::Float(value) => match numbers(shape) {
            Some(numbers) => numbers == Numbers::Any || (numbers == Numbers::Whole && value.fract() == 0.0),
            None => matches!(shape, Shape::Any | Shape::OctalText | Shape::OctalNumber),
        },
        Value::Text(_) => !matches!(
            shape,
            Shape::StrictNumber
                | Shape::StrictInteger
                | Shape::StrictBoolean
                | Shape::Word(_)
                | Shape::Matching(..)
                | Shape::List(..)
                | Shape::Named(_)
                | Shape::NamesOr(_)
                | Shape::KeyValues { .. }
                | Shape::TextMap(_)
                | Shape::TextsMap
                | Shape::Ssh
                | Shape::ExtraHosts
                | Shape::Ulimits
                | Shape::Logging
                | Shape::Object(_)
                | Shape::NullOr(_)
                | Shape::DeviceRequest(_)
        ),
        Value::List(_) | Value::Map(_) => matches!(shape, Shape::Any),
    }
}

/// Returns which numbers a shape takes, for shapes about numbers.
fn numbers(shape: &Shape) -> Option<Numbers> {
    match shape {
        Shape::Integer(numbers) | Shape::Natural(numbers) | Shape::Size(numbers) => Some(*numbers),
        Shape::Between(..) | Shape::Count | Shape::StrictInteger => Some(Numbers::Whole),
        Shape::Number | Shape::StrictNumber | Shape::TextOrNumber => Some(Numbers::Any),
        _ => None,
    }
}

/// The older `external: {name: …}`.
static EXTERNAL: Object = Object::new(&[super::Field::new("name", Shape::Text)]);

fn object(node: &Node, object: &Object, path: &str, faults: &mut Vec<Diagnostic>) {
    for entry in node.entries() {
        match object.field(&entry.key) {
            Some(field) => member(entry, &field.shape, path, faults),
            None if object.extensions && entry.key.starts_with("x-") => {}
            None => faults.push(unknown_key(entry, object, path)),
        }
    }
    for missing in object.required.iter().filter(|key| node.get(key).is_none()) {
        faults.push(at(node, format!("{} lacks the key `{missing}`", subject(path))));
    }
}

fn member(entry: &Entry, shape: &Shape, path: &str, faults: &mut Vec<Diagnostic>) {
    let before = faults.len();
    check(&entry.value, shape, &join(path, &entry.key), faults);
    faults[before..].iter_mut().for_each(|fault| on_key(fault, entry));
}

/// Lets a fault about a whole block point at its key, for the block itself has no visible beginning.
fn on_key(fault: &mut Diagnostic, entry: &Entry) {
    let about_block = fault.labels.first().is_some_and(|label| label.span == entry.value.span);
    if about_block && matches!(entry.value.value, Value::Map(_) | Value::List(_) | Value::Null) {
        fault.labels[0].span = entry.at.clone();
    }
}

fn named(entry: &Entry, shape: &Shape, path: &str, faults: &mut Vec<Diagnostic>) {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if entry.key.is_empty() || !entry.key.chars().all(allowed) {
        let message = format!("`{}` cannot be a name in {}", entry.key.escape_debug(), subject(path));
        let fault = Diagnostic::error(message).at(&entry.at);
        faults.push(fault.hint("names consist of letters, digits, `.`, `_` and `-`"));
        return;
    }
    member(entry, shape, path, faults);
}

fn scalars(entries: &[Entry], kinds: Scalars, path: &str, faults: &mut Vec<Diagnostic>) {
    let taken = |value: &Value| match value {
        Value::Text(_) => true,
        Value::Int(_) | Value::Float(_) => kinds != Scalars::Text,
        Value::Null => matches!(kinds, Scalars::NumbersOrNull | Scalars::Any),
        Value::Bool(_) => kinds == Scalars::Any,
        Value::List(_) | Value::Map(_) => false,
    };
    for entry in entries.iter().filter(|entry| !taken(&entry.value.value)) {
        let mut fault = wrong_type(&entry.value, &Shape::Text, &join(path, &entry.key));
        on_key(&mut fault, entry);
        faults.push(fault);
    }
}

/// Checks a value of [`Shape::TextsMap`].
fn texts(entry: &Entry, path: &str, faults: &mut Vec<Diagnostic>) {
    let is_scalar =
        |node: &Node| matches!(node.value, Value::Text(_) | Value::Int(_) | Value::Float(_) | Value::Bool(_));
    let good = is_scalar(&entry.value) || entry.value.as_list().is_some_and(|items| items.iter().all(is_scalar));
    if !good {
        let message = format!("`{}` must be a scalar or a list of scalars", join(path, &entry.key));
        faults.push(Diagnostic::error(message).at(&entry.at));
    }
}

/// Refuses a blank between a name and its `=`, which would become a part of the name.
fn key_of_pair(item: &Node, path: &str, faults: &mut Vec<Diagnostic>) {
    let text = item.as_text().unwrap_or_default();
    let key = text.split_once('=').map_or(text, |(key, _)| key);
    if key.ends_with(char::is_whitespace) {
        faults.push(at(item, format!("`{path}` names `{}` with a blank at its end", key.escape_debug())));
    }
}

fn ulimit(entry: &Entry, path: &str, faults: &mut Vec<Diagnostic>) {
    let number = Shape::Integer(Numbers::Whole);
    member(entry, if entry.value.as_map().is_some() { &ULIMIT } else { &number }, path, faults);
}

fn all(items: &[Node], shape: &Shape, path: &str, faults: &mut Vec<Diagnostic>) {
    for (index, item) in items.iter().enumerate() {
        check(item, shape, &format!("{path}[{index}]"), faults);
    }
}

fn list(items: &[Node], shape: &Shape, repeats: Repeats, path: &str, faults: &mut Vec<Diagnostic>) {
    all(items, shape, path, faults);
    if repeats != Repeats::Refuse {
        return;
    }
    let mut seen = std::collections::HashMap::new();
    for item in items {
        let Some(identity) = identity(shape, item) else { continue };
        let message = format!("`{identity}` stands twice in {}", subject(path));
        // A number is not the text of it here, as in the schema of the reference.
        if let Some(first) = seen.insert((item.kind(), identity), item) {
            let fault = Diagnostic::error(message);
            faults.push(fault.label(&item.span, "again here").label(&first.span, "first here"));
        }
    }
}

fn word(node: &Node, text: &str, words: &[&'static str], path: &str, faults: &mut Vec<Diagnostic>) {
    if words.contains(&text) {
        return;
    }
    let one_of = words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    let fault = at(node, format!("`{path}` must be one of {one_of}, not `{text}`"));
    faults.push(did_you_mean(fault, nearest(text, words.iter().copied())));
}

fn unknown_key(entry: &Entry, object: &Object, path: &str) -> Diagnostic {
    let fault = Diagnostic::error(format!("unknown key `{}` in {}", entry.key, subject(path))).at(&entry.at);
    did_you_mean(fault, nearest(&entry.key, object.fields.iter().map(|field| field.name)))
}

fn did_you_mean(fault: Diagnostic, word: Option<&str>) -> Diagnostic {
    match word {
        Some(word) => fault.hint(format!("did you mean `{word}`?")),
        None => fault,
    }
}

fn wrong_type(node: &Node, shape: &Shape, path: &str) -> Diagnostic {
    let found = match (shape, &node.value) {
        (Shape::Matching(..), Value::Text(text)) => format!("`{text}`"),
        _ => node.kind().to_owned(),
    };
    let fault = at(node, format!("{} must be {}, not {found}", subject(path), expected(shape)));
    let quotable = matches!(shape, Shape::Text | Shape::TextOrNull | Shape::Path | Shape::Word(_));
    match (&node.value, node.scalar_text()) {
        (Value::Null, _) => fault.hint("take the key out, or give it a value"),
        (_, Some(text)) if quotable => fault.hint(format!("write it as \"{text}\"")),
        _ => fault,
    }
}

/// Names the place of a path in a message.
fn subject(path: &str) -> String {
    if path.is_empty() { "the compose file".to_owned() } else { format!("`{path}`") }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn at(node: &Node, message: String) -> Diagnostic {
    Diagnostic::error(message).at(&node.span)
}
