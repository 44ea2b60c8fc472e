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

/// Keys beyond which a mapping is refused: each is compared with those before it.
const MAX_KEYS: usize = 10_000;

/// Composes every document of `file`, in order; a file without any gives an empty list.
///
/// # Errors
/// A syntax error, a duplicate or non-text key, an alias within its own anchor, an unknown tag, or a limit exceeded.
pub(crate) fn parse(file: &Arc<SourceText>) -> Result<Vec<Node>, Fault> {
    let mut composer = Composer::new(file);
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
    Map { map: Map, key: Option<(Key, Span)>, merges: Option<Node> },
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
    anchors: HashMap<usize, (Node, usize)>,
    aliased: usize,
    documents: Vec<Node>,
}

impl<'a> Composer<'a> {
    fn new(file: &'a Arc<SourceText>) -> Self {
        let ascii = file.text.is_ascii();
        let offsets = if ascii { Vec::new() } else { file.text.char_indices().map(|(offset, _)| offset).collect() };
        Self { file, offsets, stack: Vec::new(), anchors: HashMap::new(), aliased: 0, documents: Vec::new() }
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
                self.open(anchor, tag.as_deref(), span, Open::Map { map: Map::default(), key: None, merges: None })
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
            tag => directive(tag, &span)?,
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
            Open::Map { mut map, merges, .. } => {
                if let Some(merges) = merges {
                    merge(&mut map, merges)?;
                }
                Value::Map(map)
            }
        };
        self.finish(frame.anchor, Node { value, span: frame.span, directive: frame.directive })
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Fault> {
        self.refuse_collection_key(&span)?;
        let Some((node, size)) = self.anchors.get(&anchor) else {
            return Err(fault("an alias stands inside its own anchor", &span));
        };
        self.aliased += size;
        if self.aliased > MAX_ALIASED {
            return Err(fault(format!("aliases repeat more than {MAX_ALIASED} values"), &span));
        }
        let node = node.clone();
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
                self.anchors.insert(anchor, (node, 1));
            }
            return Ok(());
        }
        let (value, directive) = read_scalar(text, style, tag, &span)?;
        self.finish(anchor, Node { value, span, directive })
    }

    /// Remembers a whole value under its anchor and gives it to its parent.
    fn finish(&mut self, anchor: usize, node: Node) -> Result<(), Fault> {
        if anchor != 0 {
            let size = size(&node);
            self.anchors.insert(anchor, (node.clone(), size));
        }
        self.put(node)
    }

    fn put(&mut self, node: Node) -> Result<(), Fault> {
        let Some(frame) = self.stack.last_mut() else {
            self.documents.push(node);
            return Ok(());
        };
        match &mut frame.open {
            Open::List(items) => items.push(node),
            Open::Map { map, key, merges } => match key.take() {
                None => return Err(fault("a key must be text", &node.span)),
                Some((Key::Merge, at)) => {
                    if merges.replace(node).is_some() {
                        return Err(fault("the merge key `<<` is given twice", &at));
                    }
                }
                Some((Key::Text(name), at)) => insert(map, name, at, node)?,
            },
        }
        Ok(())
    }
}

fn fault(message: impl Into<String>, span: &Span) -> Fault {
    Box::new(Diagnostic::error(message).at(span))
}

/// Adds a pair whose key must be new.
fn insert(map: &mut Map, key: String, at: Span, value: Node) -> Result<(), Fault> {
    if let Some(first) = map.entry(&key) {
        let message = format!("key `{key}` is given twice, first in line {}", first.at.position().line);
        let twice = Diagnostic::error(message).label(&at, "given again here").label(&first.at, "first given here");
        return Err(Box::new(twice));
    }
    if map.0.len() >= MAX_KEYS {
        return Err(fault(format!("a mapping has more than {MAX_KEYS} keys"), &at));
    }
    map.0.push(Entry { key, at, value });
    Ok(())
}

/// Adds what the merge key brings: own keys win, then the earlier of several mappings.
fn merge(map: &mut Map, merges: Node) -> Result<(), Fault> {
    match merges.value {
        Value::Map(other) => {
            let new: Vec<_> = other.0.into_iter().filter(|entry| !map.contains(&entry.key)).collect();
            map.0.extend(new);
            Ok(())
        }
        Value::List(others) => others.into_iter().try_for_each(|other| match other.value {
            Value::Map(_) => merge(map, other),
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
    match read_scalar(text, style, tag, span)?.0 {
        Value::Text(text) => Ok(Key::Text(text)),
        other => {
            let kind = Node::new(other, span.clone()).kind();
            let fault = Diagnostic::error(format!("key `{text}` is {kind}, and a key must be text"));
            Err(Box::new(fault.at(span).hint(format!("write it as \"{text}\""))))
        }
    }
}

fn read_scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>, span: &Span) -> Result<(Value, Directive), Fault> {
    let resolved = || if style == ScalarStyle::Plain { scalar::resolve(text) } else { Value::Text(text.to_owned()) };
    match tag {
        Some(tag) if tag.is_yaml_core_schema() => Ok((core_tagged(text, &tag.suffix, span)?, Directive::None)),
        // The non-specific tag `!` makes text of a plain scalar.
        Some(tag) if tag.handle.is_empty() && tag.suffix == "!" => Ok((Value::Text(text.to_owned()), Directive::None)),
        tag => Ok((resolved(), directive(tag, span)?)),
    }
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

fn directive(tag: Option<&Tag>, span: &Span) -> Result<Directive, Fault> {
    match tag.map(|tag| (tag.handle.as_str(), tag.suffix.as_str())) {
        None => Ok(Directive::None),
        Some(("!", "reset")) => Ok(Directive::Reset),
        Some(("!", "override")) => Ok(Directive::Override),
        Some((handle, suffix)) => {
            let fault = Diagnostic::error(format!("unknown YAML tag `{handle}{suffix}`")).at(span);
            Err(Box::new(fault.hint("compose files know `!reset` and `!override`")))
        }
    }
}

/// Counts the values of a tree.
fn size(node: &Node) -> usize {
    match &node.value {
        Value::List(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Map(map) => 1 + map.0.iter().map(|entry| size(&entry.value)).sum::<usize>(),
        _ => 1,
    }
}

#[cfg(test)]
#[path = "compose_tests.rs"]
mod tests;
