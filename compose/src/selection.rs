//! Which services a command is about.
//!
//! Runs in the command; pure.

use std::collections::BTreeSet;

use crate::diagnostic::Diagnostic;
use crate::diagnostic::Fault;
use crate::graph;
use crate::model::Project;
use crate::schema::nearest;

/// Returns the named services and, with `dependencies`, all they depend on, in start order; none named is all of them.
///
/// # Errors
/// A name that is no service of the project.
pub fn select(project: &Project, named: &[String], dependencies: bool) -> Result<Vec<String>, Fault> {
    if let Some(unknown) = named.iter().find(|name| !project.services.contains_key(*name)) {
        return Err(no_such_service(project, unknown));
    }
    let mut chosen: BTreeSet<&str> = named.iter().map(String::as_str).collect();
    let mut open: Vec<&str> = chosen.iter().copied().collect();
    while let Some(service) = open.pop().filter(|_| dependencies).and_then(|name| project.services.get(name)) {
        let present = service.depends_on.keys().filter(|name| project.services.contains_key(*name));
        for name in present {
            if chosen.insert(name) {
                open.push(name);
            }
        }
    }
    let order = graph::start_order(&project.services).into_iter();
    Ok(order.filter(|name| named.is_empty() || chosen.contains(name)).map(str::to_owned).collect())
}

fn no_such_service(project: &Project, name: &str) -> Fault {
    let fault = Diagnostic::error(format!("no such service `{}` in project `{}`", name.escape_debug(), project.name));
    Box::new(match nearest(name, project.services.keys().map(String::as_str)) {
        Some(near) => fault.hint(format!("did you mean `{near}`?")),
        None => fault,
    })
}
