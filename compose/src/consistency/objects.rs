//! Networks, volumes, configs and secrets, each for itself.

use crate::diagnostic::{Diagnostic, Fault};
use crate::yaml::{Entry, Node};

/// Checks the top-level objects.
pub(super) fn check(document: &Node) -> Result<(), Fault> {
    for (section, sources) in
        [("configs", &["file", "content", "environment"][..]), ("secrets", &["file", "environment"])]
    {
        for entry in document.get(section).map_or(&[][..], Node::entries) {
            one_source(entry, section, sources)?;
        }
    }
    Ok(())
}

/// A config or a secret has one content, or is made elsewhere.
fn one_source(entry: &Entry, section: &str, sources: &[&str]) -> Result<(), Fault> {
    let path = format!("{section}.{}", entry.key);
    let given: Vec<_> = entry.value.entries().iter().filter(|field| sources.contains(&field.key.as_str())).collect();
    let external = entry.value.get("external").and_then(Node::as_bool).unwrap_or(false);
    let driven = entry.value.get("driver").is_some();
    match given.as_slice() {
        [] if external || driven => Ok(()),
        [] => {
            let one_of = sources.iter().map(|source| format!("`{source}`")).collect::<Vec<_>>().join(", ");
            let fault = Diagnostic::error(format!("`{path}` has no content: give one of {one_of} or `external`"));
            Err(Box::new(fault.at(&entry.at)))
        }
        [one] if external => {
            let fault = Diagnostic::error(format!("`{path}` is external and has its own `{}`", one.key));
            Err(Box::new(fault.at(&one.at)))
        }
        [_] => Ok(()),
        [first, second, ..] => {
            let fault = Diagnostic::error(format!("`{path}` has both `{}` and `{}`", first.key, second.key));
            Err(Box::new(fault.at(&second.at).label(&first.at, "first content here")))
        }
    }
}
