//! Parser events to trees, one a document.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use super::node::{Directive, Entry, Map, Node, Value};
use super::scalar;
use crate::diagnostic::{Diagnostic, Fault, SourceText, Span};

/// Nesting beyond which a document is refused, so that every later walk may recurse.
const MAX_DEPTH: usize = 200;

/// Values that the aliases of one document may repeat: what Docker Compose visits at most.
const MAX_ALIASED: usize = 100_000;

/// Documents of one file: the whole is checked after each.
const MAX_DOCUMENTS: usize = 256;

/// Keys beyond which a mapping is refused: each is compared with those before it.
const MAX_KEYS: usize = 10_000;

/// Composes every document of `file`, in order; a file without any gives an empty list. Tags that mean nothing here go to
/// `warnings`.
///
/// # Errors
/// A syntax error, a duplicate or non-text key, an alias within its own anchor, or a limit exceeded.
pub(crate) fn parse(file: &Arc<SourceText>, warnings: &mut Vec<Diagnostic>) -> Result<Vec<Node>, Fault> {
    let mut composer = Composer::new(file, warnings);
    let mut parser = Parser::new_from_str(&file.text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| composer.scan_error(&error))?;
        composer.take(event, span)?;
    }
    Ok(composer.documents)
}

/// A mapping or list whose end has not come yet.
struct Frame {
    anchor: usize,
    directive: Directive,
    span: Span,
    open: Open,
}

enum Open {
    List(Vec<Node>),
    Map { map: Map, places: HashMap<String, usize>, key: Option<(Key, Span)>, merges: Option<Node> },
}

/// A value that aliases may repeat.
struct Anchored {
    node: Node,
    /// How many values it has.
    size: usize,
    /// How deep it is nested.
    depth: usize,
}

enum Key {
    Text(String),
    /// A plain `<<`.
    Merge,
}

struct Composer<'a> {
    file: &'a Arc<SourceText>,
    /// Byte offset of each character; empty for ASCII text, in which both are one.
    offsets: Vec<usize>,
    stack: Vec<Frame>,
    anchors: HashMap<usize, Anchored>,
    aliased: usize,
    documents: Vec<Node>,
    warnings: &'a mut Vec<Diagnostic>,
}

impl<'a> Composer<'a> {
    fn new(file: &'a Arc<SourceText>, warnings: &'a mut Vec<Diagnostic>) -> Self {
        let ascii = file.text.is_ascii();
        let offsets = if ascii { Vec::new() } else { file.text.char_indices().map(|(offset, _)| offset).collect() };
        let (stack, anchors, documents) = (Vec::new(), HashMap::new(), Vec::new());
        Self { file, offsets, stack, anchors, aliased: 0, documents, warnings }
    }

    fn span(&self, characters: Range<usize>) -> Span {
        let byte = |index: usize| {
            if self.offsets.is_empty() { index } else { self.offsets.get(index).copied().unwrap_or(usize::MAX) }
        };
        Span::new(self.file.clone(), byte(characters.start)..byte(characters.end))
    }

    fn scan_error(&self, error: &saphyr_parser::ScanError) -> Fault {
        let index = error.marker().index();
        let fault = Diagnostic::error(format!("read YAML: {}", error.info()));
        Box::new(fault.at(&self.span(index..index + 1)))
    }

    fn take(&mut self, event: Event<'_>, at: saphyr_parser::Span) -> Result<(), Fault> {
        let span = self.span(at.start.index()..at.end.index());
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) => {
                // Anchors and the budget belong to one document.
                self.anchors.clear();
                self.aliased = 0;
                Ok(())
            }
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, anchor, tag.as_deref(), span),
            Event::SequenceStart(anchor, tag) => self.open(anchor, tag.as_deref(), span, Open::List(Vec::new())),
            Event::MappingStart(anchor, tag) => {
                let (map, places) = (Map::default(), HashMap::new());
                self.open(anchor, tag.as_deref(), span, Open::Map { map, places, key: None, merges: None })
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
        }
    }

    fn open(&mut self, anchor: usize, tag: Option<&Tag>, span: Span, open: Open) -> Result<(), Fault> {
        if self.stack.len() >= MAX_DEPTH {
            return Err(fault(format!("values are nested deeper than {MAX_DEPTH}"), &span));
        }
        self.refuse_collection_key(&span)?;
        let expected = if matches!(open, Open::List(_)) { "seq" } else { "map" };
        let directive = match tag {
            Some(tag) if tag.is_yaml_core_schema() && tag.suffix == expected => Directive::None,
            tag => self.directive(tag, &span),
        };
        self.stack.push(Frame { anchor, directive, span, open });
        Ok(())
    }

    fn refuse_collection_key(&self, span: &Span) -> Result<(), Fault> {
        match self.stack.last().map(|frame| &frame.open) {
            Some(Open::Map { key: None, .. }) => Err(fault("a key must be text, not a list or a mapping", span)),
            _ => Ok(()),
        }
    }

    fn close(&mut self) -> Result<(), Fault> {
        let Some(frame) = self.stack.pop() else { return Ok(()) };
        let value = match frame.open {
            Open::List(items) => Value::List(items),
            Open::Map { mut map, mut places, merges, .. } => {
                if let Some(merges) = merges {
                    merge(&mut map, &mut places, merges)?;
                }
                Value::Map(map)
            }
        };
        self.finish(frame.anchor, Node { value, span: frame.span, directive: frame.directive })
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Fault> {
        self.refuse_collection_key(&span)?;
        let Some(anchored) = self.anchors.get(&anchor) else {
            return Err(fault("an alias stands inside its own anchor", &span));
        };
        self.aliased += anchored.size;
        if self.aliased > MAX_ALIASED {
            return Err(fault(format!("aliases repeat more than {MAX_ALIASED} values"), &span));
        }
        if self.stack.len() + anchored.depth > MAX_DEPTH {
            return Err(fault(format!("values are nested deeper than {MAX_DEPTH}"), &span));
        }
        let node = anchored.node.clone();
        self.put(node)
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        span: Span,
    ) -> Result<(), Fault> {
        if let Some(Frame { open: Open::Map { key: key @ None, .. }, .. }) = self.stack.last_mut() {
            *key = Some((read_key(text, style, tag, &span)?, span.clone()));
            if anchor != 0 {
                let node = Node::new(Value::Text(text.to_owned()), span);
                self.anchors.insert(anchor, Anchored { node, size: 1, depth: 1 });
            }
            return Ok(());
        }
        let value = read_scalar(text, style, tag, &span)?;
        let directive = if is_core(tag) { Directive::None } else { self.directive(tag, &span) };
        self.finish(anchor, Node { value, span, directive })
    }

    /// Remembers a whole value under its anchor and gives it to its parent.
    fn finish(&mut self, anchor: usize, node: Node) -> Result<(), Fault> {
        if anchor != 0 {
            let (size, depth) = measure(&node);
            self.anchors.insert(anchor, Anchored { node: node.clone(), size, depth });
        }
        self.put(node)
    }

    fn put(&mut self, node: Node) -> Result<(), Fault> {
        let Some(frame) = self.stack.last_mut() else {
            if self.documents.len() >= MAX_DOCUMENTS {
                return Err(fault(format!("a file has more than {MAX_DOCUMENTS} documents"), &node.span));
            }
            self.documents.push(node);
            return Ok(());
        };
        match &mut frame.open {
            Open::List(items) => items.push(node),
            Open::Map { map, places, key, merges } => match key.take() {
                None => return Err(fault("a key must be text", &node.span)),
                Some((Key::Merge, at)) => {
                    if merges.replace(node).is_some() {
                        return Err(fault("the merge key `<<` is given twice", &at));
                    }
                }
                Some((Key::Text(name), at)) => insert(map, places, Entry { key: name, at, value: node })?,
            },
        }
        Ok(())
    }

    /// Reads what a tag asks of the merge; one that means nothing here is passed over, as in the reference, and said.
    fn directive(&mut self, tag: Option<&Tag>, span: &Span) -> Directive {
        match tag.map(|tag| (tag.handle.as_str(), tag.suffix.as_str())) {
            None => Directive::None,
            Some(("!", "reset")) => Directive::Reset,
            Some(("!", "override")) => Directive::Override,
            Some((handle, suffix)) => {
                let warning = Diagnostic::warning(format!("the YAML tag `{handle}{suffix}` means nothing here"));
                self.warnings.push(warning.at(span).hint("compose files know `!reset` and `!override`"));
                Directive::None
            }
        }
    }
}

fn fault(message: impl Into<String>, span: &Span) -> Fault {
    Box::new(Diagnostic::error(message).at(span))
}

/// Adds a pair whose key must be new; `places` says where each key of the mapping is.
fn insert(map: &mut Map, places: &mut HashMap<String, usize>, entry: Entry) -> Result<(), Fault> {
    if let Some(first) = places.insert(entry.key.clone(), map.0.len()).and_then(|place| map.0.get(place)) {
        let message = format!("key `{}` is given twice, first in line {}", entry.key, first.at.position().line);
        let twice = Diagnostic::error(message).label(&entry.at, "given again here");
        return Err(Box::new(twice.label(&first.at, "first given here")));
    }
    if map.0.len() >= MAX_KEYS {
        return Err(fault(format!("a mapping has more than {MAX_KEYS} keys"), &entry.at));
    }
    map.0.push(entry);
    Ok(())
}

/// Adds what the merge key brings: own keys win, then the earlier of several mappings.
fn merge(map: &mut Map, places: &mut HashMap<String, usize>, merges: Node) -> Result<(), Fault> {
    match merges.value {
        Value::Map(other) => {
            for entry in other.0 {
                if !places.contains_key(&entry.key) {
                    insert(map, places, entry)?;
                }
            }
            Ok(())
        }
        Value::List(others) => others.into_iter().try_for_each(|other| match other.value {
            Value::Map(_) => merge(map, places, other),
            _ => Err(fault(format!("`<<` merges mappings, not {}", other.kind()), &other.span)),
        }),
        _ => Err(fault(format!("`<<` merges mappings, not {}", merges.kind()), &merges.span)),
    }
}

fn read_key(text: &str, style: ScalarStyle, tag: Option<&Tag>, span: &Span) -> Result<Key, Fault> {
    let plain = style == ScalarStyle::Plain && tag.is_none();
    if (plain && text == "<<") || tag.is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "merge") {
        return Ok(Key::Merge);
    }
    match read_scalar(text, style, tag, span)? {
        Value::Text(text) => Ok(Key::Text(text)),
        other => {
            let kind = Node::new(other, span.clone()).kind();
            let fault = Diagnostic::error(format!("key `{text}` is {kind}, and a key must be text"));
            Err(Box::new(fault.at(span).hint(format!("write it as \"{text}\""))))
        }
    }
}

fn read_scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>, span: &Span) -> Result<Value, Fault> {
    match tag {
        Some(tag) if tag.is_yaml_core_schema() => core_tagged(text, &tag.suffix, span),
        None if style == ScalarStyle::Plain => Ok(scalar::resolve(text)),
        // A tag of one's own, `!` among them, makes text of any scalar; those that steer merging do not.
        Some(tag) if style == ScalarStyle::Plain && matches!(tag.suffix.as_str(), "reset" | "override") => {
            Ok(scalar::resolve(text))
        }
        _ => Ok(Value::Text(text.to_owned())),
    }
}

/// Returns whether a scalar's tag says nothing but its type.
fn is_core(tag: Option<&Tag>) -> bool {
    tag.is_some_and(|tag| tag.is_yaml_core_schema() || (tag.handle.is_empty() && tag.suffix == "!"))
}

/// Reads a scalar with a tag of the core schema (`!!str 5`).
fn core_tagged(text: &str, tag: &str, span: &Span) -> Result<Value, Fault> {
    let value = match (tag, scalar::resolve(text)) {
        ("str", _) => Some(Value::Text(text.to_owned())),
        ("null", Value::Null) => Some(Value::Null),
        ("bool", Value::Bool(value)) => Some(Value::Bool(value)),
        ("int", Value::Int(value)) => Some(Value::Int(value)),
        ("float", Value::Float(value)) => Some(Value::Float(value)),
        #[expect(clippy::cast_precision_loss, reason = "`!!float 3` asks for it")]
        ("float", Value::Int(value)) => Some(Value::Float(value as f64)),
        _ => None,
    };
    value.ok_or_else(|| fault(format!("`{text}` cannot be read as `!!{tag}`"), span))
}

/// Counts the values of a tree and its levels.
fn measure(node: &Node) -> (usize, usize) {
    let sum = |(size, depth): (usize, usize), node: &Node| {
        let (inner_size, inner_depth) = measure(node);
        (size + inner_size, depth.max(inner_depth))
    };
    let (size, depth) = match &node.value {
        Value::List(items) => items.iter().fold((0, 0), sum),
        Value::Map(map) => map.0.iter().map(|entry| &entry.value).fold((0, 0), sum),
        _ => (0, 0),
    };
    (size + 1, depth + 1)
}

#[cfg(test)]
#[path = "compose_tests.rs"]
mod tests;
