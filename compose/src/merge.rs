//! Several files, a service and what it extends, a project and what it includes: two documents made one.
//!
//! Runs in the command; pure. The rule of each attribute is its shape (Compose Specification, 13-merge): mappings merge key
//! by key, lists are joined, scalars are replaced, commands are replaced as a whole. Tags stay on the result until
//! [`strip`], because a document that was merged with what it extends is merged again with the files before it.

use crate::diagnostic::{Diagnostic, Fault};
use crate::forms;
use crate::schema::{Field, Repeats, Shape, identity};
use crate::yaml::{Directive, Entry, Node, Value};

/// Lays `over` over `base`, both of `shape`, at the attribute path `path`.
///
/// # Errors
/// Two values that cannot be merged, such as a list and a mapping.
pub(crate) fn merge(base: Node, over: Node, shape: &Shape, path: &str) -> Result<Node, Fault> {
    if over.directive != Directive::None || base.directive == Directive::Reset || base.is_null() {
        return Ok(over);
    }
    match shape {
        // Null takes the command of the base away; elsewhere it says nothing.
        Shape::Command | Shape::Probe => Ok(over),
        _ if over.is_null() => Ok(base),
        Shape::KeyValues { .. } => maps(forms::key_values(base), forms::key_values(over), &Shape::Any, path),
        Shape::NamesOr(item) => maps(forms::names(base, item), forms::names(over, item), item, path),
        Shape::Named(item) => maps(base, over, item, path),
        Shape::TextMap(_) => maps(base, over, &Shape::Any, path),
        Shape::Ulimits => maps(base, over, &Shape::External, path),
        Shape::ShortOr(key, _) => fields(forms::long(base, key), forms::long(over, key), shape, path),
        Shape::Logging => logging(base, over, path),
        Shape::TextOrList(_) | Shape::EnvFiles => lists(forms::list(base), forms::list(over), path),
        Shape::ExtraHosts => extra_hosts(base, over, path),
        Shape::List(item, Repeats::Replace) if matches!(item, Shape::Object(_)) => pools(base, over, item, path),
        Shape::List(..) | Shape::Gpus => lists(base, over, path),
        Shape::Object(_) | Shape::NullOr(_) => fields(base, over, shape, path),
        // The older mapping form, and a limit in either form: the later one stands.
        Shape::External => Ok(over),
        _ => any(base, over, path),
    }
}

/// Takes out what `!reset` marks, and the marks of `!override`.
pub(crate) fn strip(node: &mut Node) {
    node.directive = Directive::None;
    match &mut node.value {
        Value::Map(map) => {
            map.0.retain(|entry| entry.value.directive != Directive::Reset);
            map.0.iter_mut().for_each(|entry| strip(&mut entry.value));
        }
        Value::List(items) => {
            items.retain(|item| item.directive != Directive::Reset);
            items.iter_mut().for_each(strip);
        }
        _ => {}
    }
}

/// Merges values of no known shape.
fn any(base: Node, over: Node, path: &str) -> Result<Node, Fault> {
    match (&base.value, &over.value) {
        (Value::Map(_), Value::Map(_)) => maps(base, over, &Shape::Any, path),
        (Value::List(_), Value::List(_)) => lists(base, over, path),
        (Value::Map(_) | Value::List(_), _) | (_, Value::Map(_) | Value::List(_)) => Err(mismatch(&base, &over, path)),
        _ => Ok(over),
    }
}

fn mismatch(base: &Node, over: &Node, path: &str) -> Fault {
    let fault = Diagnostic::error(format!("`{path}` cannot be merged: {} over {}", over.kind(), base.kind()));
    Box::new(fault.label(&over.span, over.kind()).label(&base.span, base.kind()))
}

/// Merges two mappings whose values all have the shape `item`.
fn maps(base: Node, over: Node, item: &Shape, path: &str) -> Result<Node, Fault> {
    entries(base, over, path, |_| item)
}

/// Merges two mappings with known keys.
fn fields(base: Node, over: Node, shape: &Shape, path: &str) -> Result<Node, Fault> {
    let object = shape.object();
    entries(base, over, path, |key| object.and_then(|object| object.field(key)).map_or(&Shape::Any, shape_of))
}

fn shape_of(field: &'static Field) -> &'static Shape {
    &field.shape
}

fn entries<'a>(base: Node, over: Node, path: &str, shape: impl Fn(&str) -> &'a Shape) -> Result<Node, Fault> {
    if base.as_map().is_none() || over.as_map().is_none() {
        return Err(mismatch(&base, &over, path));
    }
    let (Value::Map(mut result), Value::Map(new), span) = (base.value, over.value, over.span) else {
        return Ok(Node::new(Value::Null, base.span));
    };
    for Entry { key, at, value } in new.0 {
        let path = format!("{path}.{key}");
        let position = result.0.iter().position(|entry| entry.key == key);
        match position {
            None => result.0.push(Entry { key, at, value }),
            Some(index) => {
                let old = std::mem::replace(&mut result.0[index].value, value.here(Value::Null));
                let merged = merge(old, value, shape(&key), path.trim_start_matches('.'))?;
                result.0[index] = Entry { key, at, value: merged };
            }
        }
    }
    Ok(Node::new(Value::Map(result), span))
}

fn lists(base: Node, over: Node, path: &str) -> Result<Node, Fault> {
    if base.as_list().is_none() || over.as_list().is_none() {
        return Err(mismatch(&base, &over, path));
    }
    let (Value::List(mut items), Value::List(new)) = (base.value, over.value) else {
        return Ok(Node::new(Value::Null, base.span));
    };
    items.extend(new);
    Ok(Node::new(Value::List(items), over.span))
}

/// Joins two lists of host lines; a line that is already there is not repeated.
fn extra_hosts(base: Node, over: Node, path: &str) -> Result<Node, Fault> {
    let mut joined = lists(forms::extra_hosts(base), forms::extra_hosts(over), path)?;
    if let Value::List(items) = &mut joined.value {
        let mut seen = Vec::new();
        items.retain(|item| {
            let new = !seen.contains(&item.value);
            seen.push(item.value.clone());
            new
        });
    }
    Ok(joined)
}

/// Joins two lists of mappings; those of one identity are merged.
fn pools(base: Node, over: Node, item: &Shape, path: &str) -> Result<Node, Fault> {
    if base.as_list().is_none() || over.as_list().is_none() {
        return Err(mismatch(&base, &over, path));
    }
    let (Value::List(mut items), Value::List(new)) = (base.value, over.value) else {
        return Ok(Node::new(Value::Null, base.span));
    };
    for pool in new {
        let subnet = identity(item, &pool);
        match items.iter().position(|old| identity(item, old) == subnet) {
            Some(index) => items[index] = merge(items[index].clone(), pool, item, path)?,
            None => items.push(pool),
        }
    }
    Ok(Node::new(Value::List(items), over.span))
}

/// Merges the options of one driver; another driver brings its own.
fn logging(base: Node, over: Node, path: &str) -> Result<Node, Fault> {
    match (base.text("driver"), over.text("driver")) {
        (Some(old), Some(new)) if old != new => Ok(over),
        _ => entries(base, over, path, |_| &Shape::Any),
    }
}
