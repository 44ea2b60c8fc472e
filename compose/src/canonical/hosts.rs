//! `extra_hosts`: `host=address` and its other forms.

use crate::diagnostic::{Diagnostic, Fault};
use crate::forms;
use crate::yaml::{Node, Value};

/// Makes a list of `host=address`, one a line, sorted.
pub(super) fn canonical(node: Node, path: &str) -> Result<Node, Fault> {
    let is_list = node.as_list().is_some();
    let Node { value: Value::List(lines), span, .. } = forms::extra_hosts(node.clone()) else { return Ok(node) };
    let mut items = Vec::with_capacity(lines.len());
    for line in &lines {
        let (host, addresses) = pair(line, path)?;
        // Several addresses in one text are a form of the list only.
        let separator = if is_list { ',' } else { '\0' };
        items.extend(addresses.split(separator).map(|address| line.text_here(format!("{host}={}", bare(address)))));
    }
    items.sort_by(|a, b| a.as_text().cmp(&b.as_text()));
    Ok(Node::new(Value::List(items), span))
}

fn pair<'a>(line: &'a Node, path: &str) -> Result<(&'a str, &'a str), Fault> {
    let text = line.as_text().unwrap_or_default();
    let fault = |message: String| -> Fault { Box::new(Diagnostic::error(message).at(&line.span)) };
    let (host, addresses) =
        text.split_once('=').ok_or_else(|| fault(format!("`{path}` must be HOST=ADDRESS, not `{text}`")))?;
    if host.is_empty() || host.contains(':') {
        return Err(fault(format!("`{path}` has `{host}`, which is no name of a host")));
    }
    Ok((host, addresses))
}

/// Returns an address without the brackets of IPv6.
fn bare(address: &str) -> &str {
    address.strip_prefix('[').and_then(|address| address.strip_suffix(']')).unwrap_or(address)
}
