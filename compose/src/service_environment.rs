//! `environment`, `env_file` and `label_file` of each service, resolved to what its containers get.
//!
//! Runs in the command; reads the files that the services name.

use std::collections::BTreeMap;
use std::path::Path;

use crate::diagnostic::{Diagnostic, Fault};
use crate::dotenv::{self, Format};
use crate::load::LoadError;
use crate::source::Environment;
use crate::yaml::{Map, Node, Value};

/// Resolves every service: names without a value get it from `variables` or stay without, files are laid under what the
/// service says itself, and their attributes disappear.
///
/// # Errors
/// A required file that is missing, or a file with a mistake.
pub(crate) fn resolve(
    document: &mut Node,
    variables: &Environment,
    warnings: &mut Vec<Diagnostic>,
) -> Result<(), LoadError> {
    let services = document.as_map_mut().and_then(|map| map.get_mut("services")).and_then(Node::as_map_mut);
    for entry in services.into_iter().flat_map(|services| &mut services.0) {
        if let Value::Map(service) = &mut entry.value.value {
            let place = Node::new(Value::Null, entry.at.clone());
            environment(service, &place, variables, warnings)?;
            labels(service, &place, variables, warnings)?;
        }
    }
    Ok(())
}

fn environment(
    service: &mut Map,
    place: &Node,
    variables: &Environment,
    warnings: &mut Vec<Diagnostic>,
) -> Result<(), LoadError> {
    let own = service.remove("environment");
    let files = service.remove("env_file");
    let mut result = Map::default();
    let mut seen = variables.clone();
    for (key, value) in own
        .as_ref()
        .map_or(&[][..], Node::entries)
        .iter()
        .filter_map(|entry| entry.value.as_text().map(|text| (entry.key.clone(), text.to_owned())))
    {
        // The file's expansions see the service's own variables, under those of the project.
        seen.entry(key).or_insert(value);
    }
    for file in files.as_ref().map_or(&[][..], Node::items) {
        for (key, value) in read_file(file, &seen, warnings)? {
            result.set(&key, file.text_here(value));
        }
    }
    for entry in own.as_ref().map_or(&[][..], Node::entries) {
        let inherited = || variables.get(&entry.key).map(|value| entry.value.text_here(value.clone()));
        let value =
            if entry.value.is_null() { inherited().unwrap_or(entry.value.clone()) } else { entry.value.clone() };
        // As in the reference, a name without any value takes even that of a file away.
        result.set(&entry.key, value);
    }
    if !result.0.is_empty() {
        let place = own.or(files).unwrap_or_else(|| place.clone());
        service.set("environment", place.here(Value::Map(result)));
    }
    Ok(())
}

fn labels(
    service: &mut Map,
    place: &Node,
    variables: &Environment,
    warnings: &mut Vec<Diagnostic>,
) -> Result<(), LoadError> {
    let Some(files) = service.remove("label_file") else { return Ok(()) };
    let mut result = Map::default();
    for file in files.items() {
        for (key, value) in read_file(file, variables, warnings)? {
            result.set(&key, file.text_here(value));
        }
    }
    for entry in service.get("labels").map_or(&[][..], Node::entries) {
        result.set(&entry.key, entry.value.clone());
    }
    service.set("labels", place.here(Value::Map(result)));
    Ok(())
}

fn read_file(
    file: &Node,
    variables: &BTreeMap<String, String>,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Vec<(String, String)>, LoadError> {
    let path = file.text("path").or(file.as_text()).unwrap_or_default();
    let required = file.get("required").and_then(Node::as_bool).unwrap_or(true);
    let format = match file.get("format") {
        None => Format::Compose,
        Some(format) if format.as_text() == Some("raw") => Format::Raw,
        Some(format) => {
            let message = format!("unknown format `{}` of an env_file", format.as_text().unwrap_or_default());
            return Err(fault(Diagnostic::error(message).at(&format.span).hint("the only other format is `raw`")));
        }
    };
    let path = Path::new(path);
    if !required && !path.exists() {
        return Ok(Vec::new());
    }
    match crate::load::read_one(path) {
        Ok(text) => Ok(dotenv::read(&text, format, variables, warnings)?),
        Err(LoadError::Read { path, source }) => {
            let place = file.get("path").map_or(&file.span, |path| &path.span);
            Err(fault(Diagnostic::error(format!("read `{}`: {source}", path.display())).at(place)))
        }
        Err(other) => Err(other),
    }
}

fn fault(diagnostic: Diagnostic) -> LoadError {
    let fault: Fault = Box::new(diagnostic);
    fault.into()
}
