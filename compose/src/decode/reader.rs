//! Reading values of a canonical document.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::diagnostic::Diagnostic;
use crate::units;
use crate::yaml::Node;

/// Collects what the document asks for and cannot be had.
pub(super) struct Reader {
    pub refusals: Vec<Diagnostic>,
}

impl Reader {
    /// Notes that the value at `node` cannot be had.
    pub(super) fn refuse(&mut self, node: &Node, message: impl Into<String>) {
        self.refusals.push(Diagnostic::error(message).at(&node.span));
    }

    /// As [`Reader::refuse`], with what to do instead.
    pub(super) fn refuse_with(&mut self, node: &Node, message: impl Into<String>, hint: &str) {
        self.refusals.push(Diagnostic::error(message).at(&node.span).hint(hint));
    }

    /// Reads a text with `read`; one that cannot be read is refused as "`path` must be `expected`".
    pub(super) fn parse<T>(
        &mut self,
        node: Option<&Node>,
        path: &str,
        expected: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let node = node?;
        let text = node.scalar_text().unwrap_or_default();
        let value = read(&text);
        if value.is_none() {
            self.refuse(node, format!("`{path}` must be {expected}, not `{text}`"));
        }
        value
    }

    /// Reads a whole number within the range of `T`.
    pub(super) fn number<T: TryFrom<i128>>(&mut self, node: Option<&Node>, path: &str) -> Option<T> {
        self.parse(node, path, "a number within its range", |text| {
            text.parse().ok().and_then(|value: i128| T::try_from(value).ok())
        })
    }
}

/// Returns the text of `key`.
pub(super) fn text(node: &Node, key: &str) -> Option<String> {
    node.text(key).map(str::to_owned)
}

/// Returns the truth of `key`; nothing is false.
pub(super) fn flag(node: &Node, key: &str) -> bool {
    node.get(key).and_then(Node::as_bool).unwrap_or(false)
}

/// Returns the texts of the list `key`; nothing is an empty list.
pub(super) fn texts(node: &Node, key: &str) -> Vec<String> {
    node.get(key).map_or(&[][..], Node::items).iter().filter_map(Node::scalar_text).collect()
}

/// Returns the mapping `key` of texts; null values are left out.
pub(super) fn pairs(node: &Node, key: &str) -> BTreeMap<String, String> {
    let entries = node.get(key).map_or(&[][..], Node::entries);
    entries.iter().filter_map(|entry| Some((entry.key.clone(), entry.value.scalar_text()?))).collect()
}

/// Returns the duration of `key`.
pub(super) fn duration(node: &Node, key: &str) -> Option<Duration> {
    node.text(key).and_then(units::parse_duration)
}

/// Returns the size of `key` in bytes.
pub(super) fn size(node: &Node, key: &str) -> Option<u64> {
    node.text(key)?.parse().ok()
}
