//! Which services a command is about.
//!
//! Runs in the command; pure.

use std::collections::{BTreeMap, BTreeSet};

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

/// Checks how many containers services shall have instead of what the file says.
///
/// # Errors
/// A name that is no service of the project, or more containers than a service can have that names its one.
pub fn check_scale(project: &Project, scale: &BTreeMap<String, u32>) -> Result<(), Fault> {
    for (name, count) in scale {
        let service = project.services.get(name).ok_or_else(|| no_such_service(project, name))?;
        if service.container_name.is_some() && *count > 1 {
            let fault =
                Diagnostic::error(format!("service `{name}` has a fixed `container_name` and {count} containers"));
            let place = project.span(&["services", name, "container_name"]);
            return Err(Box::new(place.map_or(fault.clone(), |span| fault.at(&span))));
        }
    }
    Ok(())
}

fn no_such_service(project: &Project, name: &str) -> Fault {
    let fault = Diagnostic::error(format!("no such service `{}` in project `{}`", name.escape_debug(), project.name));
    Box::new(match nearest(name, project.services.keys().map(String::as_str)) {
        Some(near) => fault.hint(format!("did you mean `{near}`?")),
        None => fault,
    })
}
