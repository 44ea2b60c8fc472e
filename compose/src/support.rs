//! Which attributes of a project lighter does, which have no effect here, and which it refuses.
//!
//! Runs in the command; pure. What the tables of the attributes say of a key, and what reading its value found.

use std::collections::HashMap;
use std::path::Path;

use crate::diagnostic::{Diagnostic, Span};
use crate::model::Project;
use crate::schema::{self, Object, Shape, Support};
use crate::yaml::{Entry, Node, Value};

/// Why `x-…` has no effect; nobody expects one, so it is listed and not warned of.
const EXTENSION: &str = "an extension";

/// Attributes whose values are paths of the host.
const PATHS: [&str; 8] =
    ["additional_contexts", "build", "context", "env_file", "file", "label_file", "source", "volumes"];

/// What becomes of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is done.
    Honoured,
    /// It is accepted and changes nothing, for this reason.
    NoEffect(String),
    /// Whatever makes containers stops at it, for this reason.
    Refused(String),
}

/// An attribute as a file uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// Its path: `services.web.ports`.
    pub path: String,
    /// Where its key stands.
    pub at: Span,
    /// What becomes of it.
    pub verdict: Verdict,
    /// Paths of the host that it names and that lie outside of the project's folder.
    pub outside: Vec<String>,
}

/// Returns every attribute that the files of `project` give, in the order of its document.
///
/// An attribute with attributes of its own stands for itself only where none of these is given.
#[must_use]
pub fn of(project: &Project) -> Vec<Use> {
    let mut list = Listing { directory: &project.working_directory, refused: HashMap::new(), found: Vec::new() };
    for refusal in &project.refusals {
        if let Some(label) = refusal.labels.first() {
            list.refused.entry(place(&label.span)).or_default().push(refusal.message.clone());
        }
    }
    list.walk(&project.document, &Shape::Object(&schema::PROJECT), "");
    list.found
}

/// Returns the attributes of `document` that change nothing, each as a warning.
pub(crate) fn ineffective(document: &Node) -> Vec<Diagnostic> {
    let mut list = Listing { directory: Path::new("/"), refused: HashMap::new(), found: Vec::new() };
    list.walk(document, &Shape::Object(&schema::PROJECT), "");
    let warning = |found: Use| match found.verdict {
        Verdict::NoEffect(why) if why != EXTENSION => {
            Some(Diagnostic::warning(format!("`{}` has no effect here: {why}", found.path)).at(&found.at))
        }
        _ => None,
    };
    list.found.into_iter().filter_map(warning).collect()
}

/// A place as a key: the file and the bytes of it.
type Place = (usize, usize, usize);

fn place(span: &Span) -> Place {
    let range = span.range();
    (std::ptr::from_ref(span.file()).addr(), range.start, range.end)
}

struct Listing<'a> {
    directory: &'a Path,
    /// What reading the project refused, by place.
    refused: HashMap<Place, Vec<String>>,
    found: Vec<Use>,
}

impl Listing<'_> {
    fn walk(&mut self, node: &Node, shape: &Shape, path: &str) {
        match (shape, &node.value) {
            (Shape::List(item, _), Value::List(items)) => {
                items.iter().enumerate().for_each(|(index, value)| self.walk(value, item, &format!("{path}[{index}]")));
            }
            (Shape::Named(item) | Shape::NamesOr(item), Value::Map(map)) => {
                map.0.iter().for_each(|entry| self.walk(&entry.value, item, &format!("{path}.{}", entry.key)));
            }
            (shape, Value::Map(map)) => {
                if let Some(fields) = shape.object() {
                    map.0.iter().filter(|entry| is_given(entry)).for_each(|entry| self.entry(entry, fields, path));
                }
            }
            _ => {}
        }
    }

    fn entry(&mut self, entry: &Entry, object: &Object, path: &str) {
        let path = if path.is_empty() { entry.key.clone() } else { format!("{path}.{}", entry.key) };
        let Some(field) = object.field(&entry.key) else {
            return self.note(entry, path, Verdict::NoEffect(EXTENSION.to_owned()));
        };
        match field.support {
            Support::No => self.note(entry, path, Verdict::Refused("lighter does not do it yet".to_owned())),
            Support::Meaningless(why) => self.note(entry, path, Verdict::NoEffect(why.to_owned())),
            Support::Yes => self.done(entry, &field.shape, path),
        }
    }

    /// Lists the attributes of the value, or the attribute itself where there are none.
    fn done(&mut self, entry: &Entry, shape: &Shape, path: String) {
        let before = self.found.len();
        self.walk(&entry.value, shape, &path);
        if self.found.len() > before {
            return;
        }
        let mut reasons = self.refused.get(&place(&entry.at)).cloned().unwrap_or_default();
        self.reasons(&entry.value, &mut reasons);
        reasons.dedup();
        let verdict = if reasons.is_empty() { Verdict::Honoured } else { Verdict::Refused(reasons.join("; ")) };
        self.note(entry, path, verdict);
    }

    fn reasons(&self, node: &Node, found: &mut Vec<String>) {
        found.extend(self.refused.get(&place(&node.span)).into_iter().flatten().cloned());
        node.items().iter().for_each(|item| self.reasons(item, found));
        node.entries().iter().for_each(|entry| self.reasons(&entry.value, found));
    }

    fn note(&mut self, entry: &Entry, path: String, verdict: Verdict) {
        let mut outside = Vec::new();
        if PATHS.contains(&entry.key.as_str()) {
            self.leaving(&entry.value, &mut outside);
        }
        self.found.push(Use { path, at: entry.at.clone(), verdict, outside });
    }

    /// Collects the paths outside of the project's folder.
    fn leaving(&self, node: &Node, found: &mut Vec<String>) {
        match &node.value {
            Value::Text(text) if text.starts_with('/') && !Path::new(text).starts_with(self.directory) => {
                found.push(text.clone());
            }
            Value::List(items) => items.iter().for_each(|item| self.leaving(item, found)),
            // Of a mount, only the source is a path of the host, and only where it is bound.
            Value::Map(_) if node.get("type").is_some() => {
                let source = node.get("source").filter(|_| node.text("type") == Some("bind"));
                source.into_iter().for_each(|source| self.leaving(source, found));
            }
            Value::Map(map) => map.0.iter().for_each(|entry| self.leaving(&entry.value, found)),
            _ => {}
        }
    }
}

/// Returns whether a file gives the key: what is implied stands where something else is written.
fn is_given(entry: &Entry) -> bool {
    let written = entry.at.file().text.get(entry.at.range()).unwrap_or_default();
    written.trim_matches(['"', '\'']) == entry.key
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::source::{Environment, Source};

    fn listed(text: &str) -> Vec<String> {
        let source = Source {
            files: vec![PathBuf::from("-")],
            stdin: Some(text.to_owned()),
            working_directory: PathBuf::from("/p/shop"),
            ..Source::default()
        };
        let project = crate::load(&source, &Environment::new()).unwrap().project;
        of(&project)
            .iter()
            .map(|used| format!("{} {} {:?} {:?}", used.path, used.at, used.verdict, used.outside))
            .collect()
    }

    #[test]
    fn every_given_attribute_is_listed_with_what_becomes_of_it() {
        let text = "services:\n  a:\n    image: x\n    ports: ['80']\n    deploy: {mode: global, replicas: 2}\n    use_api_socket: true\n    uts: 'container:b'\n    volumes: ['./in:/in', '/etc:/etc']\nx-mine: 1\n";
        assert_eq!(
            listed(text),
            [
                "services.a.image -:3:5 Honoured []",
                "services.a.ports -:4:5 Honoured []",
                "services.a.deploy.mode -:5:14 NoEffect(\"only a swarm of hosts does it\") []",
                "services.a.deploy.replicas -:5:28 Honoured []",
                "services.a.use_api_socket -:6:5 Refused(\"lighter does not do it yet\") []",
                "services.a.uts -:7:5 Refused(\"`services.a.uts` `container:b` is not supported by lighter yet\") []",
                "services.a.volumes -:8:5 Honoured [\"/etc\"]",
                "x-mine -:9:1 NoEffect(\"an extension\") []",
            ]
        );
    }
}
