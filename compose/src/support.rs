//! Which attributes of a project lighter does, which have no effect here, and which it refuses.
//!
//! Runs in the command; pure. What the tables of the attributes say of a key, and what reading its value found.

use std::collections::HashMap;

use crate::diagnostic::{Diagnostic, Span};
use crate::model::Project;
use crate::schema::{self, Object, Shape, Support};
use crate::yaml::{Entry, Node, Value};

/// Why `x-…` has no effect; nobody expects one, so it is listed and not warned of.
const EXTENSION: &str = "an extension";

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
}

/// Returns every attribute that the files of `project` give, in the order of its document.
///
/// An attribute with attributes of its own stands for itself only where none of these is given.
#[must_use]
pub fn of(project: &Project) -> Vec<Use> {
    let mut list = Listing { refused: HashMap::new(), found: Vec::new() };
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
    let mut list = Listing { refused: HashMap::new(), found: Vec::new() };
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

struct Listing {
    /// What reading the project refused, by place.
    refused: HashMap<Place, Vec<String>>,
    found: Vec<Use>,
}

impl Listing {
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
        self.found.push(Use { path, at: entry.at.clone(), verdict });
    }
}

/// Returns whether a file gives the key: what is implied stands where something else is written.
fn is_given(entry: &Entry) -> bool {
    let written = entry.at.file().text.get(entry.at.range()).unwrap_or_default();
    written.trim_matches(['"', '\'']) == entry.key
}
