//! The canonical text of a project: what `config` prints.
//!
//! Runs in the command; pure. The text is that of Docker Compose, byte for byte: attributes in the order of its structures
//! (which is that of our tables), keys of the user sorted, scalars quoted as its writers quote them. Given back as a compose
//! file it is the same project: where variables were replaced, a dollar is doubled.

mod arrange;
mod json;
mod limits;
mod natural;
mod scalar;
mod yaml;

use crate::model::Project;
use crate::schema::{PROJECT, Shape};
use crate::yaml::{Entry, Map, Node, Value};
use arrange::{Extensions, Order, arrange};

/// Renders the project as JSON with two blanks of indentation. The shape is that of Docker Compose, which leaves `x-…` keys
/// out except at the top, and writes some attributes even when they say nothing.
pub fn json(project: &Project) -> String {
    let mut document = document(project);
    document.as_map_mut().into_iter().for_each(|map| _ = map.remove("models"));
    with_empty_attributes(&mut document);
    limits::without_zeros(&mut document);
    let order = Order { natural: false, extensions: Extensions::Top };
    // The document itself is a map there, not a structure.
    let mut document = arrange(document, &Shape::Object(&PROJECT), order);
    document.as_map_mut().into_iter().for_each(|map| map.0.sort_by(|a, b| a.key.cmp(&b.key)));
    escaped(json::pretty(&document), project)
}

/// Renders the project as YAML.
pub fn yaml(project: &Project) -> String {
    let order = Order { natural: true, extensions: Extensions::All };
    let mut document = document(project);
    limits::with_zeros(&mut document);
    escaped(yaml::document(&arrange(document, &Shape::Object(&PROJECT), order)), project)
}

/// Renders a node as JSON without blanks, all keys sorted.
pub(crate) fn compact(node: &Node) -> String {
    let order = Order { natural: false, extensions: Extensions::All };
    json::compact(&arrange(node.clone(), &Shape::Any, order))
}

fn document(project: &Project) -> Node {
    let mut document = project.document.clone();
    without_implied(&mut document);
    let services = document.here(Value::Map(Map::default()));
    if let Some(map) = document.as_map_mut() {
        map.remove("version");
        if !project.name.is_empty() {
            let name = Node::new(Value::Text(project.name.clone()), project.document.span.clone());
            map.set("name", name);
        }
        if !map.contains("services") {
            map.set("services", services);
        }
    }
    document
}

/// Takes `required: true` out of environment files, which goes without saying.
fn without_implied(document: &mut Node) {
    for service in entries(document, "services") {
        let files = service.value.as_map_mut().and_then(|service| service.get_mut("env_file"));
        for file in files.into_iter().flat_map(items_mut).filter_map(Node::as_map_mut) {
            file.0.retain(|entry| entry.key != "required" || entry.value.as_bool() != Some(true));
        }
    }
}

/// Doubles the dollars, so that the text means the same when it is read again.
fn escaped(text: String, project: &Project) -> String {
    if project.interpolated { text.replace('$', "$$") } else { text }
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
        let Some(service) = service.value.as_map_mut() else { continue };
        if let Some(deploy) = service.get_mut("deploy") {
            add(deploy, "placement", &empty);
            add(deploy, "resources", &empty);
        }
        let watch = service.get_mut("develop").and_then(Node::as_map_mut).and_then(|develop| develop.get_mut("watch"));
        for rule in watch.into_iter().flat_map(items_mut) {
            add(rule, "exec", &empty);
            let exec = rule.as_map_mut().and_then(|rule| rule.get_mut("exec"));
            exec.into_iter().for_each(|exec| add(exec, "command", &nothing));
        }
    }
}

fn entries<'a>(document: &'a mut Node, section: &str) -> impl Iterator<Item = &'a mut Entry> {
    let section = document.as_map_mut().and_then(|map| map.get_mut(section)).and_then(Node::as_map_mut);
    section.into_iter().flat_map(|map| &mut map.0)
}

fn items_mut(node: &mut Node) -> &mut [Node] {
    if let Value::List(items) = &mut node.value { items } else { &mut [] }
}

fn add(node: &mut Node, key: &str, value: &Node) {
    if let Some(map) = node.as_map_mut()
        && !map.contains(key)
    {
        map.set(key, value.clone());
    }
}
