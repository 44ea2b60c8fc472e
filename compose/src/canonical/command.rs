//! Commands and probes: a line or a list of words.

use super::words;
use crate::diagnostic::{Diagnostic, Fault};
use crate::yaml::{Node, Value};

/// Splits a line into words.
pub(super) fn canonical(node: Node, path: &str) -> Result<Node, Fault> {
    let Some(line) = node.as_text() else { return Ok(node) };
    let Some(words) = words::split_words(line) else {
        let fault = Diagnostic::error(format!("`{path}` ends within a quote")).at(&node.span);
        return Err(Box::new(fault.hint("write the command as a list to leave the quotes alone")));
    };
    let items = words.into_iter().map(|word| node.text_here(word)).collect();
    Ok(node.here(Value::List(items)))
}

/// Makes a list of a line for the shell, and checks the first word of a list.
pub(super) fn probe(node: Node, path: &str) -> Result<Node, Fault> {
    if let Some(line) = node.as_text() {
        let words = vec![node.text_here("CMD-SHELL"), node.text_here(line)];
        return Ok(node.here(Value::List(words)));
    }
    match node.items().first().map(|first| (first, first.as_text())) {
        None | Some((_, Some("NONE" | "CMD" | "CMD-SHELL"))) => Ok(node),
        Some((first, word)) => {
            let word = word.unwrap_or_default();
            let message = format!("`{path}` must begin with NONE, CMD or CMD-SHELL, not `{word}`");
            let fault = Diagnostic::error(message).at(&first.span);
            Err(Box::new(fault.hint("write it as one text to run it in a shell")))
        }
    }
}
