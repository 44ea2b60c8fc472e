//! A Compose project on its way to another host: one file with everything read and resolved here.
//!
//! Included and extended files, variables and environment files are resolved on the user's host. Build contexts are
//! carried as folders, configs as text, secrets as variables. Paths of bind mounts stay as they are: they are the other
//! host's.

use std::path::{Path, PathBuf};

use lighter_compose::{Source, load, render, resolve_name};
use serde_json::{Value, json};

use super::carry::Luggage;
use super::wire::Project;
use crate::args::ProjectArgs;
use crate::context::Invocation;
use crate::error::Failure;
use crate::verbs::build::context::Carried;
use crate::verbs::compose::source_for;
use crate::verbs::run::seccomp_file;

/// Begins a place in the project's text that is known on the other host only; its number in the list follows.
pub(super) const PLACE: &str = "lighter-carried:";

/// Loads the project that the command line means and packs it.
pub(super) fn pack(project: &ProjectArgs, invocation: &Invocation, luggage: &mut Luggage) -> Result<(), Failure> {
    // which profiles are active is the verb's to say, over there
    let mut source = Source { profiles: vec!["*".to_owned()], ..source_for(invocation, project) };
    if source.files.iter().any(|file| file.as_os_str() == "-") {
        source.stdin = Some(std::io::read_to_string(std::io::stdin())?);
    }
    let loaded = load(&source, &invocation.environment).map_err(|error| match error.diagnostics() {
        [] => Failure::from(error),
        diagnostics => Failure::diagnostics(diagnostics.to_vec()),
    })?;
    let mut document: Value = serde_json::from_str(&render::json(&loaded.project))?;
    contexts(&mut document, luggage)?;
    profiles_of_seccomp(&mut document, &loaded.project.working_directory, luggage)?;
    contents(&mut document, luggage)?;
    let packed = Project {
        name: loaded.project.name.clone(),
        directory: loaded.project.working_directory.clone(),
        profiles: profiles(project, invocation),
    };
    luggage.project = Some((packed, document.to_string()));
    Ok(())
}

/// Returns the name of the project that the command line means, or that is in this folder.
pub(super) fn name(project: &ProjectArgs, invocation: &Invocation) -> Option<String> {
    let source = source_for(invocation, project);
    let given = resolve_name(&source, &invocation.environment).ok()?;
    given.or_else(|| Some(load(&source, &invocation.environment).ok()?.project.name.clone()))
}

fn profiles(project: &ProjectArgs, invocation: &Invocation) -> Vec<String> {
    let listed = invocation.environment.get("COMPOSE_PROFILES").map(String::as_str).unwrap_or_default();
    let listed = listed.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned);
    if project.profile.is_empty() { listed.collect() } else { project.profile.clone() }
}

/// Puts places for the folders and files that images are built from.
fn contexts(document: &mut Value, luggage: &mut Luggage) -> Result<(), Failure> {
    for service in children(document, "services") {
        let Some(build) = service.get_mut("build").and_then(Value::as_object_mut) else { continue };
        let context = build.get("context").and_then(Value::as_str).map(PathBuf::from);
        if let Some(context) = context.filter(|path| path.is_absolute()) {
            // an absolute name of a Dockerfile may lie outside of the context
            if let Some(file) = build.get_mut("dockerfile").filter(|file| file.as_str().is_some_and(is_absolute)) {
                place(file, luggage)?;
            }
            let file = build.get("dockerfile").and_then(Value::as_str).map(|file| context.join(file));
            if context.is_dir() {
                luggage.contexts.insert(context.clone(), Carried::of(&context, file.as_deref())?);
            }
            build["context"] = json!(carry(&context, luggage)?);
        }
        for folder in build.get_mut("additional_contexts").and_then(Value::as_object_mut).into_iter().flatten() {
            place(folder.1, luggage)?;
        }
    }
    Ok(())
}

/// Puts places for the files of seccomp profiles.
fn profiles_of_seccomp(document: &mut Value, directory: &Path, luggage: &mut Luggage) -> Result<(), Failure> {
    for service in children(document, "services") {
        for option in service.get_mut("security_opt").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(file) = option.as_str().and_then(seccomp_file) {
                *option = json!(format!("seccomp={}", carry(&directory.join(file), luggage)?));
            }
        }
    }
    Ok(())
}

fn is_absolute(text: &str) -> bool {
    text.starts_with('/')
}

/// Replaces the path of a file or folder of this host, if that is what the value is.
fn place(value: &mut Value, luggage: &mut Luggage) -> Result<(), Failure> {
    if let Some(path) = value.as_str().filter(|text| is_absolute(text)).map(PathBuf::from) {
        *value = json!(carry(&path, luggage)?);
    }
    Ok(())
}

fn carry(path: &Path, luggage: &mut Luggage) -> Result<String, Failure> {
    if !path.exists() {
        return Err(Failure::text(format!("read `{}`: it is not there", path.display())));
    }
    luggage.carried.push(path.to_owned());
    Ok(format!("{PLACE}{}:", luggage.carried.len() - 1))
}

/// Puts the content of configs and secrets in the place of their files.
fn contents(document: &mut Value, luggage: &mut Luggage) -> Result<(), Failure> {
    for config in children(document, "configs") {
        if let Some(text) = file_text(config)? {
            // a dollar in it is no variable
            config["content"] = json!(text.replace('$', "$$"));
        }
    }
    for (number, secret) in children(document, "secrets").enumerate() {
        if let Some(text) = file_text(secret)? {
            let name = format!("LIGHTER_SECRET_{number}");
            secret["environment"] = json!(name);
            luggage.environment.insert(name, text);
        } else if let Some(name) = secret.get("environment").and_then(Value::as_str) {
            luggage.asked.insert(name.to_owned());
        }
    }
    Ok(())
}

/// Takes the file of a config or secret; returns its text.
fn file_text(object: &mut Value) -> Result<Option<String>, Failure> {
    let file = object.as_object_mut().and_then(|object| object.remove("file"));
    let Some(path) = file.as_ref().and_then(Value::as_str) else { return Ok(None) };
    let wrong = |why: String| Failure::text(format!("read `{path}`: {why}"));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    if text.contains('\0') {
        return Err(wrong("configs and secrets with NUL bytes cannot be carried to another host".to_owned()));
    }
    Ok(Some(text))
}

fn children<'a>(document: &'a mut Value, key: &str) -> impl Iterator<Item = &'a mut Value> {
    document.get_mut(key).and_then(Value::as_object_mut).into_iter().flatten().map(|(_, child)| child)
}

/// Puts the places of what was carried into the project's text. Pure.
pub(super) fn settle(text: &str, carried: &Path) -> String {
    let mut settled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(PLACE) {
        settled.push_str(before);
        let number = after.split_once(':').filter(|(number, _)| number.bytes().all(|byte| byte.is_ascii_digit()));
        rest = match number {
            Some((number, after)) if !number.is_empty() => {
                settled.push_str(&carried.join(number).display().to_string());
                after
            }
            _ => {
                settled.push_str(PLACE);
                after
            }
        };
    }
    settled + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn places_become_paths() {
        let text = r#"{"a":"lighter-carried:12:","b":"lighter-carried:x","c":"lighter-carried:0:"}"#;
        let expected = r#"{"a":"/r/12","b":"lighter-carried:x","c":"/r/0"}"#;
        assert_eq!(settle(text, Path::new("/r")), expected);
    }

    #[test]
    fn contents_take_the_place_of_files() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("x");
        std::fs::write(&file, "5$\n").unwrap();
        let mut document = json!({
            "services": {"a": {"build": {"context": scratch.path()}}, "b": {"security_opt": ["seccomp=x", "label=disable"]}},
            "configs": {"c": {"file": file}},
            "secrets": {"s": {"file": file}, "e": {"environment": "TOKEN"}},
        });
        let mut luggage = Luggage::default();
        contexts(&mut document, &mut luggage).unwrap();
        profiles_of_seccomp(&mut document, scratch.path(), &mut luggage).unwrap();
        contents(&mut document, &mut luggage).unwrap();
        assert_eq!(luggage.carried, [scratch.path(), file.as_path()]);
        let options = &document["services"]["b"]["security_opt"];
        assert_eq!(*options, json!(["seccomp=lighter-carried:1:", "label=disable"]));
        assert_eq!(document["services"]["a"]["build"]["context"], "lighter-carried:0:");
        assert_eq!(document["configs"]["c"], json!({"content": "5$$\n"}));
        let variable = document["secrets"]["s"]["environment"].as_str().unwrap();
        assert_eq!(luggage.environment[variable], "5$\n");
        assert!(luggage.asked.contains("TOKEN"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(lighter-carried:|[0-9:a])*") {
            let _ = settle(&text, Path::new("/r"));
        }
    }
}
