//! Templates of `--format`: the part of Go's text/template that people use with docker.
//!
//! Pure: text → [`Template`] → text. Written from text/template's documentation (pkg.go.dev/text/template) and docker's
//! list of functions; what Go has beyond it (`define`, `template`, `block`, `html`, `js`, `urlquery`, `call`) is refused by
//! name. Control characters of what is filled in are made visible, so that no label steers the terminal.

mod compare;
mod eval;
mod functions;
mod lexer;
mod parser;
mod printf;
mod value;

use std::fmt;

use serde_json::Value;

use eval::Evaluation;
pub(crate) use value::LISTS;

/// A template that was read and can be filled in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Template {
    nodes: Vec<parser::Node>,
    text: String,
}

/// What is wrong with a template, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TemplateError {
    /// Counted from 1.
    line: usize,
    /// In characters, counted from 1.
    column: usize,
    message: String,
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "template:{}:{}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for TemplateError {}

/// A fault at an offset of the template's text, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fault {
    at: usize,
    message: String,
}

impl Fault {
    fn new(at: usize, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// It is not what text/template takes, or has what is not supported here; the error says where.
    pub(crate) fn parse(text: &str) -> Result<Self, TemplateError> {
        let nodes = lexer::items(text).and_then(parser::parse);
        let nodes = nodes.map_err(|fault| located(text, fault))?;
        Ok(Self { nodes, text: text.to_owned() })
    }

    /// Fills the template with what `data` has.
    ///
    /// # Errors
    /// There is no such field, or a function cannot do with what it is given; the error says where.
    pub(crate) fn fill(&self, data: &Value) -> Result<String, TemplateError> {
        self.evaluated(Evaluation::new(data))
    }

    /// Returns what was read.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Fills the template with headings, by the names of fields: what the functions do to values they do not do to these.
    pub(crate) fn headings(&self, headings: &Value) -> Result<String, TemplateError> {
        self.evaluated(Evaluation::of_headings(headings))
    }

    fn evaluated(&self, evaluation: Evaluation<'_>) -> Result<String, TemplateError> {
        evaluation.run(&self.nodes).map_err(|fault| located(&self.text, fault))
    }
}

fn located(text: &str, fault: Fault) -> TemplateError {
    let before = text.get(..fault.at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    TemplateError {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        message: fault.message,
    }
}

#[cfg(test)]
mod tests;
