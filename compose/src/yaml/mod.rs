//! YAML text to a tree in which every value knows where it stands.
//!
//! Runs in the command; pure. The parser gives events, the composer makes the tree: it resolves scalars as go-yaml v4 does
//! (YAML 1.2 core and the older number forms), follows aliases within a budget, applies merge keys, refuses duplicate and
//! non-text keys, and keeps the tags `!reset` and `!override`. Text of any content ends in a tree or in one diagnostic,
//! in memory bounded by the limits in [`compose`].

mod compose;
mod node;
mod scalar;
mod timestamp;

pub(crate) use compose::parse;
pub(crate) use node::{Directive, Entry, Map, Node, Value};
pub(crate) use scalar::{format_float, resolves_to_text};
