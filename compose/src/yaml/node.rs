//! The tree: values, their places, and the tags that steer merging.

use crate::diagnostic::Span;

/// What a tag asks of the merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Directive {
    /// Merge by the rules of the attribute.
    #[default]
    None,
    /// `!reset`: the attribute is as if it had never been given.
    Reset,
    /// `!override`: the value replaces what it would be merged with.
    Override,
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// The value.
    pub value: Value,
    /// Its place; for a mapping or a list, its beginning.
    pub span: Span,
    /// What its tag asks of the merge.
    pub directive: Directive,
}

/// A YAML value. Integers beyond 64 bits are floats, as in go-yaml.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Map),
}

/// A mapping in the order of the file.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Map(pub Vec<Entry>);

/// A key with its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub at: Span,
    /// What it maps to.
    pub value: Node,
}

impl Node {
    pub(crate) fn new(value: Value, span: Span) -> Self {
        Self { value, span, directive: Directive::None }
    }

    /// Returns a text that stands where `self` stands.
    pub(crate) fn text_here(&self, text: impl Into<String>) -> Self {
        Self::new(Value::Text(text.into()), self.span.clone())
    }

    /// Returns a value that stands where `self` stands.
    pub(crate) fn here(&self, value: Value) -> Self {
        Self::new(value, self.span.clone())
    }

    /// Returns nothing, standing where `self` stands: a place for what is implied.
    pub(crate) fn clone_place(&self) -> Self {
        self.here(Value::Null)
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        if let Value::Text(text) = &self.value { Some(text) } else { None }
    }

    pub(crate) fn as_bool(&self) -> Option<bool> {
        if let Value::Bool(value) = self.value { Some(value) } else { None }
    }

    pub(crate) fn as_int(&self) -> Option<i128> {
        if let Value::Int(value) = self.value { Some(value) } else { None }
    }

    pub(crate) fn as_list(&self) -> Option<&[Node]> {
        if let Value::List(items) = &self.value { Some(items) } else { None }
    }

    pub(crate) fn as_map(&self) -> Option<&Map> {
        if let Value::Map(map) = &self.value { Some(map) } else { None }
    }

    pub(crate) fn as_map_mut(&mut self) -> Option<&mut Map> {
        if let Value::Map(map) = &mut self.value { Some(map) } else { None }
    }

    /// Returns the value of `key`, if this is a mapping that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.as_map()?.get(key)
    }

    /// Returns the value of `key` as text.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_text()
    }

    /// Returns the entries of the mapping, or of an empty one.
    pub(crate) fn entries(&self) -> &[Entry] {
        self.as_map().map_or(&[], |map| &map.0)
    }

    /// Returns the items of the list, or of an empty one.
    pub(crate) fn items(&self) -> &[Node] {
        self.as_list().unwrap_or_default()
    }

    /// Names the type in a message: "a list".
    pub(crate) fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Int(_) | Value::Float(_) => "a number",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }

    /// Returns the text of a scalar as Docker writes it into an environment: `1.50` is `1.5`, `0x1F` is `31`.
    pub(crate) fn scalar_text(&self) -> Option<String> {
        match &self.value {
            Value::Text(text) => Some(text.clone()),
            Value::Bool(value) => Some(value.to_string()),
            Value::Int(value) => Some(value.to_string()),
            Value::Float(value) => Some(super::format_float(*value)),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }
}

impl Map {
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.0.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.value)
    }

    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.key == key)
    }

    pub(crate) fn contains(&self, key: &str) -> bool {
        self.entry(key).is_some()
    }

    /// Sets `key`, which keeps its place in the order if it is there already; a new key stands where its value stands.
    pub(crate) fn set(&mut self, key: &str, value: Node) {
        match self.get_mut(key) {
            Some(old) => *old = value,
            None => self.0.push(Entry { key: key.to_owned(), at: value.span.clone(), value }),
        }
    }

    pub(crate) fn remove(&mut self, key: &str) -> Option<Node> {
        let index = self.0.iter().position(|entry| entry.key == key)?;
        Some(self.0.remove(index).value)
    }
}
