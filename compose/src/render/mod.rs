//! The canonical text of a project: what `config` prints.
//!
//! Runs in the command; pure. The text, given back as a compose file, is the same project: where variables were replaced,
//! a dollar is doubled. Keys are in the order of the alphabet, but for the sections of the document in YAML.

mod json;
mod yaml;

use crate::model::Project;
use crate::schema::{PROJECT, Shape};
use crate::yaml::{Entry, Map, Node, Value};

/// Renders the project as JSON with two blanks of indentation, keys sorted. The shape is that of Docker Compose, which
/// leaves `x-…` keys out except at the top, and writes some attributes even when they say nothing.
pub fn json(project: &Project) -> String {
    let mut document = document(project);
    without_extensions(&mut document, &Shape::Object(&PROJECT), true);
    with_empty_attributes(&mut document);
    escaped(json::pretty(&document), project)
}

/// Renders the project as YAML.
pub fn yaml(project: &Project) -> String {
    escaped(yaml::document(&document(project)), project)
}

/// Renders a node as JSON without blanks.
pub(crate) fn compact(node: &Node) -> String {
    json::compact(node)
}

fn document(project: &Project) -> Node {
    let mut document = project.document.clone();
    if let Some(map) = document.as_map_mut() {
        map.remove("version");
        // Go keeps them in the YAML only, and lighter has none.
        map.remove("models");
        let name = Node::new(Value::Text(project.name.clone()), project.document.span.clone());
        map.set("name", name);
    }
    document
}

/// Doubles the dollars, so that the text means the same when it is read again.
fn escaped(text: String, project: &Project) -> String {
    if project.interpolated { text.replace('$', "$$") } else { text }
}

/// Takes `x-…` keys out of mappings with known keys.
fn without_extensions(node: &mut Node, shape: &Shape, top: bool) {
    match (shape, &mut node.value) {
        (Shape::List(item, _), Value::List(items)) => {
            items.iter_mut().for_each(|value| without_extensions(value, item, false));
        }
        (Shape::Named(item) | Shape::NamesOr(item), Value::Map(map)) => {
            map.0.iter_mut().for_each(|entry| without_extensions(&mut entry.value, item, false));
        }
        (shape, Value::Map(map)) => {
            let Some(object) = shape.object() else { return };
            map.0.retain(|entry| top || !entry.key.starts_with("x-"));
            for entry in &mut map.0 {
                if let Some(field) = object.field(&entry.key) {
                    without_extensions(&mut entry.value, &field.shape, false);
                }
            }
        }
        _ => {}
    }
}

/// Adds what Docker Compose writes into JSON without need.
fn with_empty_attributes(document: &mut Node) {
    let empty = document.here(Value::Map(Map::default()));
    let nothing = document.clone_place();
    for network in entries(document, "networks") {
        add(&mut network.value, "ipam", &empty);
    }
    for service in entries(document, "services") {
        add(&mut service.value, "command", &nothing);
        add(&mut service.value, "entrypoint", &nothing);
        if let Some(deploy) = service.value.as_map_mut().and_then(|map| map.get_mut("deploy")) {
            add(deploy, "placement", &empty);
            add(deploy, "resources", &empty);
        }
    }
}

fn entries<'a>(document: &'a mut Node, section: &str) -> impl Iterator<Item = &'a mut Entry> {
    let section = document.as_map_mut().and_then(|map| map.get_mut(section)).and_then(Node::as_map_mut);
    section.into_iter().flat_map(|map| &mut map.0)
}

fn add(node: &mut Node, key: &str, value: &Node) {
    if let Some(map) = node.as_map_mut()
        && !map.contains(key)
    {
        map.set(key, value.clone());
    }
}

/// Returns the entries of a mapping by key.
fn sorted(map: &Map) -> Vec<&Entry> {
    let mut entries: Vec<_> = map.0.iter().collect();
    entries.sort_by(|a, b| a.key.cmp(&b.key));
    entries
}
