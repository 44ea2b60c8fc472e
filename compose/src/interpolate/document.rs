//! Variables of a whole document.

use std::collections::BTreeMap;

use super::template::{self, TemplateError, Variables};
use crate::diagnostic::{Diagnostic, Fault, Span};
use crate::yaml::{Node, Value};

/// The variables a document sees, and the warnings its reading makes.
pub(crate) struct Scope<'a> {
    /// The variables: the process environment over the environment files.
    pub variables: &'a BTreeMap<String, String>,
    /// Where warnings go.
    pub warnings: &'a mut Vec<Diagnostic>,
    /// Bytes of text made so far.
    produced: usize,
}

/// Bytes of text that the variables of one document may make, for each may be long and stand in it often.
const MAX_PRODUCED: usize = 64 << 20;

impl<'a> Scope<'a> {
    /// Returns a scope in which nothing was read yet.
    pub(crate) fn new(variables: &'a BTreeMap<String, String>, warnings: &'a mut Vec<Diagnostic>) -> Self {
        Self { variables, warnings, produced: 0 }
    }
}

/// The variables of one text.
struct Place<'a, 'b> {
    scope: &'a mut Scope<'b>,
    span: &'a Span,
}

impl Variables for Place<'_, '_> {
    fn value(&self, name: &str) -> Option<String> {
        self.scope.variables.get(name).cloned()
    }

    fn unset(&mut self, name: &str) {
        let message = format!("variable `{name}` is not set, an empty text stands for it");
        let hint = format!("write ${{{name}:-default}} to give a default, or $${name} for a plain dollar");
        let warning = Diagnostic::warning(message).at(&variable_span(self.span, name)).hint(hint);
        // A file that is extended by several services is read several times.
        if !self.scope.warnings.contains(&warning) {
            self.scope.warnings.push(warning);
        }
    }
}

/// Replaces the variables in every value of `node`; keys stay as they are. A malformed variable, or a required one without
/// a value, is noted in `faults` with its place.
pub(crate) fn interpolate(node: &mut Node, scope: &mut Scope<'_>, faults: &mut Vec<Diagnostic>) {
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| interpolate(item, scope, faults)),
        Value::Map(map) => map.0.iter_mut().for_each(|entry| interpolate(&mut entry.value, scope, faults)),
        Value::Text(text) if text.contains('$') => match interpolate_text(text, &node.span, scope) {
            Ok(replaced) => *text = replaced,
            Err(fault) => faults.push(*fault),
        },
        _ => {}
    }
}

/// Replaces the variables in a text that stands at `span`.
///
/// # Errors
/// A malformed variable, or a required one without a value, at its place.
pub(crate) fn interpolate_text(text: &str, span: &Span, scope: &mut Scope<'_>) -> Result<String, Fault> {
    let text = template::substitute(text, &mut Place { scope, span }).map_err(|error| diagnostic(&error, span))?;
    scope.produced += text.len();
    if scope.produced > MAX_PRODUCED {
        return Err(Box::new(diagnostic(&TemplateError::TooLarge, span)));
    }
    Ok(text)
}

fn diagnostic(error: &TemplateError, span: &Span) -> Diagnostic {
    let diagnostic = Diagnostic::error(error.to_string());
    match error {
        TemplateError::Invalid { .. } => diagnostic.at(span).hint("write `$$` for a plain dollar"),
        TemplateError::Required { name, .. } => diagnostic.at(&variable_span(span, name)),
        TemplateError::TooLarge => diagnostic.at(span),
    }
}

/// Narrows the span of a text to the variable `name` in it, if it stands there unescaped.
fn variable_span(span: &Span, name: &str) -> Span {
    let range = span.range();
    let source = span.file().text.get(range.clone()).unwrap_or_default();
    let found = [format!("${{{name}"), format!("${name}")].into_iter().find_map(|variable| {
        source.match_indices(&variable).find_map(|(start, _)| {
            let next = source[start + variable.len()..].chars().next();
            let whole = !next.is_some_and(|next| next.is_ascii_alphanumeric() || next == '_');
            (whole && !source[..start].ends_with('$')).then_some(start..start + variable.len())
        })
    });
    found.map_or_else(
        || span.clone(),
        |found| {
            let file = span.shared_file();
            let closing = usize::from(source[found.end..].starts_with('}'));
            Span::new(file, range.start + found.start..range.start + found.end + closing)
        },
    )
}
