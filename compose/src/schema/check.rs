//! Whether a merged document has the shape of the tables.
//!
//! Runs in the command; pure. Types and keys only: what a text means is found out where it is made canonical.

use super::shape::{Object, Repeats, Shape, identity};
use super::suggest::nearest;
use crate::diagnostic::{Diagnostic, Fault, Span};
use crate::yaml::{Entry, Node, Value};

/// Checks `node`, which stands at the attribute path `path`, against `shape`.
///
/// # Errors
/// The first unknown key, missing key, wrong type, or repeated item.
pub(crate) fn check(node: &Node, shape: &Shape, path: &str) -> Result<(), Fault> {
    match (shape, &node.value) {
        (Shape::Any, _) => Ok(()),
        (Shape::Text | Shape::Path, Value::Text(_)) => Ok(()),
        (Shape::Word(words), Value::Text(text)) => word(node, text, words, path),
        (Shape::TextOrNumber, Value::Text(_) | Value::Int(_) | Value::Float(_)) => Ok(()),
        (Shape::Scalar, Value::Text(_) | Value::Int(_) | Value::Float(_) | Value::Bool(_)) => Ok(()),
        (
            Shape::Integer | Shape::Count | Shape::Number | Shape::Size,
            Value::Text(_) | Value::Int(_) | Value::Float(_),
        ) => Ok(()),
        (Shape::OctalText | Shape::OctalNumber, Value::Text(_) | Value::Int(_)) => Ok(()),
        (Shape::StrictNumber, Value::Int(_) | Value::Float(_)) => Ok(()),
        (Shape::Boolean | Shape::External, Value::Bool(_) | Value::Text(_)) => Ok(()),
        (Shape::External, Value::Map(_)) => object(node, &EXTERNAL, path),
        (Shape::Duration, Value::Text(_)) => Ok(()),
        (Shape::Command, Value::Null | Value::Text(_)) | (Shape::Probe, Value::Null | Value::Text(_)) => Ok(()),
        (Shape::Command | Shape::Probe, Value::List(items)) => all(items, &Shape::Text, path),
        (Shape::List(item, repeats), Value::List(items)) => list(items, item, *repeats, path),
        (Shape::TextOrList(_), Value::Text(_)) => Ok(()),
        (Shape::TextOrList(_), Value::List(items)) => all(items, &Shape::Text, path),
        (Shape::Named(item), Value::Map(map)) => map.0.iter().try_for_each(|entry| named(entry, item, path)),
        (Shape::NamesOr(_), Value::List(items)) => all(items, &Shape::Text, path),
        (Shape::NamesOr(item), Value::Map(map)) => map.0.iter().try_for_each(|entry| named(entry, item, path)),
        (Shape::KeyValues { .. }, Value::List(items)) => all(items, &Shape::Text, path),
        (Shape::KeyValues { .. } | Shape::TextMap, Value::Map(map)) => scalars(&map.0, path),
        (Shape::ExtraHosts, Value::List(items)) => all(items, &Shape::Text, path),
        (Shape::ExtraHosts, Value::Map(map)) => {
            map.0.iter().try_for_each(|entry| member(entry, &Shape::TextOrList(Repeats::Keep), path))
        }
        (Shape::Ulimits, Value::Map(map)) => map.0.iter().try_for_each(|entry| ulimit(entry, path)),
        (Shape::Gpus, Value::Text(_)) => word(node, node.as_text().unwrap_or_default(), &["all"], path),
        (Shape::Gpus, Value::List(items)) => all(items, &Shape::Object(&super::DEVICE_REQUEST), path),
        (Shape::NullOr(_), Value::Null) => Ok(()),
        (Shape::ShortOr(..) | Shape::Mount | Shape::Device, Value::Text(_)) => Ok(()),
        (Shape::Port, Value::Text(_) | Value::Int(_)) => Ok(()),
        (Shape::EnvFiles, Value::Text(_)) => Ok(()),
        (Shape::EnvFiles, Value::List(items)) => {
            let entry = Shape::ShortOr("path", &super::service::ENV_FILE);
            items.iter().enumerate().try_for_each(|(index, item)| check(item, &entry, &format!("{path}[{index}]")))
        }
        (shape, Value::Map(_)) if shape.object().is_some() && !matches!(shape, Shape::EnvFiles) => {
            shape.object().map_or(Ok(()), |fields| object(node, fields, path))
        }
        _ => Err(wrong_type(node, shape, path)),
    }
}

/// The older `external: {name: …}`.
static EXTERNAL: Object = Object::new(&[super::Field::new("name", Shape::Text)]);

static LIMIT: Object = Object {
    fields: &[super::Field::new("soft", Shape::Integer), super::Field::new("hard", Shape::Integer)],
    required: &["soft", "hard"],
    extensions: true,
};

fn object(node: &Node, object: &Object, path: &str) -> Result<(), Fault> {
    for entry in node.entries() {
        match object.field(&entry.key) {
            Some(field) => check_member(entry, &field.shape, path)?,
            None if object.extensions && entry.key.starts_with("x-") => {}
            None => return Err(unknown_key(entry, object, path)),
        }
    }
    match object.required.iter().find(|key| node.get(key).is_none()) {
        Some(missing) => Err(at(&node.span, format!("{} lacks the key `{missing}`", subject(path)))),
        None => Ok(()),
    }
}

/// Checks the value of a known key; null is as good as leaving the key out.
fn check_member(entry: &Entry, shape: &Shape, path: &str) -> Result<(), Fault> {
    if entry.value.is_null() { Ok(()) } else { member(entry, shape, path) }
}

fn member(entry: &Entry, shape: &Shape, path: &str) -> Result<(), Fault> {
    check(&entry.value, shape, &join(path, &entry.key)).map_err(|fault| on_key(fault, entry))
}

/// Lets a fault about a whole block point at its key, for the block itself has no visible beginning.
fn on_key(mut fault: Fault, entry: &Entry) -> Fault {
    let about_block = fault.labels.first().is_some_and(|label| label.span == entry.value.span);
    if about_block && matches!(entry.value.value, Value::Map(_) | Value::List(_) | Value::Null) {
        fault.labels[0].span = entry.at.clone();
    }
    fault
}

fn named(entry: &Entry, shape: &Shape, path: &str) -> Result<(), Fault> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if entry.key.is_empty() || !entry.key.chars().all(allowed) {
        let message = format!("`{}` cannot be a name in {}", entry.key.escape_debug(), subject(path));
        let fault = Diagnostic::error(message).at(&entry.at);
        return Err(Box::new(fault.hint("names consist of letters, digits, `.`, `_` and `-`")));
    }
    member(entry, shape, path)
}

fn scalars(entries: &[Entry], path: &str) -> Result<(), Fault> {
    entries.iter().try_for_each(|entry| match entry.value.value {
        Value::List(_) | Value::Map(_) => {
            let path = join(path, &entry.key);
            let fault = at(&entry.value.span, format!("`{path}` must be a text, not {}", entry.value.kind()));
            Err(on_key(fault, entry))
        }
        _ => Ok(()),
    })
}

fn ulimit(entry: &Entry, path: &str) -> Result<(), Fault> {
    let shape = if entry.value.as_map().is_some() { Shape::Object(&LIMIT) } else { Shape::Integer };
    member(entry, &shape, path)
}

fn all(items: &[Node], shape: &Shape, path: &str) -> Result<(), Fault> {
    items.iter().enumerate().try_for_each(|(index, item)| check(item, shape, &format!("{path}[{index}]")))
}

fn list(items: &[Node], shape: &Shape, repeats: Repeats, path: &str) -> Result<(), Fault> {
    all(items, shape, path)?;
    if repeats != Repeats::Refuse {
        return Ok(());
    }
    let mut seen: Vec<(String, &Node)> = Vec::new();
    for item in items {
        let Some(identity) = identity(shape, item) else { continue };
        if let Some((_, first)) = seen.iter().find(|(other, _)| *other == identity) {
            let fault = Diagnostic::error(format!("`{identity}` stands twice in {}", subject(path)));
            return Err(Box::new(fault.label(&item.span, "again here").label(&first.span, "first here")));
        }
        seen.push((identity, item));
    }
    Ok(())
}

fn word(node: &Node, text: &str, words: &[&'static str], path: &str) -> Result<(), Fault> {
    if words.contains(&text) {
        return Ok(());
    }
    let one_of = words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    let fault = Diagnostic::error(format!("`{path}` must be one of {one_of}, not `{text}`")).at(&node.span);
    Err(Box::new(did_you_mean(fault, nearest(text, words.iter().copied()))))
}

fn unknown_key(entry: &Entry, object: &Object, path: &str) -> Fault {
    let fault = Diagnostic::error(format!("unknown key `{}` in {}", entry.key, subject(path))).at(&entry.at);
    Box::new(did_you_mean(fault, nearest(&entry.key, object.fields.iter().map(|field| field.name))))
}

fn did_you_mean(fault: Diagnostic, word: Option<&str>) -> Diagnostic {
    match word {
        Some(word) => fault.hint(format!("did you mean `{word}`?")),
        None => fault,
    }
}

fn wrong_type(node: &Node, shape: &Shape, path: &str) -> Fault {
    let fault = Diagnostic::error(format!("{} must be {}, not {}", subject(path), expected(shape), node.kind()));
    let fault = fault.at(&node.span);
    let quotable = matches!(shape, Shape::Text | Shape::Path | Shape::Word(_) | Shape::Duration);
    match node.scalar_text() {
        Some(text) if quotable => Box::new(fault.hint(format!("write it as \"{text}\""))),
        _ => Box::new(fault),
    }
}

fn expected(shape: &Shape) -> &'static str {
    match shape {
        Shape::Any | Shape::Scalar => "a scalar",
        Shape::Text | Shape::Path | Shape::Word(_) => "a text",
        Shape::TextOrNumber => "a text or a number",
        Shape::Integer | Shape::Count => "a whole number",
        Shape::Number | Shape::StrictNumber => "a number",
        Shape::Boolean => "true or false",
        Shape::Size => "a size such as 512m",
        Shape::Duration => "a duration such as 1m30s",
        Shape::OctalText | Shape::OctalNumber => "an octal mode such as \"0444\"",
        Shape::Command | Shape::Probe | Shape::TextOrList(_) => "a text or a list of texts",
        Shape::List(..) => "a list",
        Shape::Named(_) | Shape::TextMap | Shape::Ulimits => "a mapping",
        Shape::Object(_) | Shape::NullOr(_) | Shape::Logging => "a mapping",
        Shape::NamesOr(_) => "a list of names or a mapping",
        Shape::KeyValues { .. } => "a mapping or a list of KEY=VALUE",
        Shape::ExtraHosts => "a mapping or a list of HOST=ADDRESS",
        Shape::Gpus => "`all` or a list",
        Shape::ShortOr(..) | Shape::Mount | Shape::Device => "a text or a mapping",
        Shape::Port => "a text, a number or a mapping",
        Shape::EnvFiles => "a text or a list",
        Shape::External => "true, false or a mapping",
    }
}

/// Names the place of a path in a message.
fn subject(path: &str) -> String {
    if path.is_empty() { "the compose file".to_owned() } else { format!("`{path}`") }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn at(span: &Span, message: String) -> Fault {
    Box::new(Diagnostic::error(message).at(span))
}
